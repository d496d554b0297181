//! Client and server of each kind of session, connected by a pipe in memory.

#![expect(clippy::unwrap_used, reason = "tests panic")]

use std::io;

use futures::StreamExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;
use wk_streams::{
    ForwardClient, ForwardError, ForwardProtocol, ForwardServer, Outcome, RemoteClient, RemoteEnds,
    RemoteProtocol, RemoteServer, Size, StreamSet,
};

const ALL: StreamSet = StreamSet { stdin: true, stdout: true, stderr: true, tty: false };
const TERMINAL: StreamSet = StreamSet { stdin: true, stdout: true, stderr: false, tty: true };

fn pipe() -> (DuplexStream, DuplexStream) {
    tokio::io::duplex(16 << 10)
}

/// Copies its input to its output, says a word to its error, and ends with 3.
async fn cat(mut ends: RemoteEnds) -> Outcome {
    let (mut stdin, mut stdout) = (ends.stdin.take().unwrap(), ends.stdout.take().unwrap());
    tokio::io::copy(&mut stdin, &mut stdout).await.unwrap();
    ends.stderr.take().unwrap().write_all(b"over").await.unwrap();
    Outcome::Exit(3)
}

#[tokio::test]
async fn a_program_is_fed_and_heard_and_its_exit_code_arrives() {
    let (ours, theirs) = pipe();
    let server = RemoteServer { protocol: RemoteProtocol::V5, streams: ALL };
    let serve = server.serve(theirs, cat);
    let sent: Vec<u8> = (0..3_000_000_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
    let client = async {
        let (mut client, driver) = RemoteClient::open(ours, RemoteProtocol::V5, ALL).await;
        let (mut stdin, mut stdout) = (client.stdin.take().unwrap(), client.stdout.take().unwrap());
        let mut stderr = client.stderr.take().unwrap();
        let (mut heard, mut said, mut status) = (Vec::new(), String::new(), Vec::new());
        let feed = async {
            stdin.write_all(&sent).await?;
            stdin.shutdown().await
        };
        let all = tokio::join!(
            driver.run(),
            feed,
            stdout.read_to_end(&mut heard),
            stderr.read_to_string(&mut said),
            client.error.read_to_end(&mut status),
        );
        all.0.unwrap();
        (heard, said, Outcome::from_status(&status))
    };
    let (served, (heard, said, outcome)) = tokio::join!(serve, client);
    served.unwrap();
    assert!(heard == sent, "{} bytes of {}", heard.len(), sent.len());
    assert_eq!((said.as_str(), outcome), ("over", Outcome::Exit(3)));
}

#[tokio::test]
async fn sizes_of_the_terminal_arrive_and_a_failure_is_told() {
    let (ours, theirs) = pipe();
    let server = RemoteServer { protocol: RemoteProtocol::V4, streams: TERMINAL };
    let wanted = Size { width: 80, height: 24 };
    let serve = server.serve(theirs, |mut ends: RemoteEnds| async move {
        ends.size.wait_for(|size| *size == Some(wanted)).await.unwrap();
        Outcome::Failed("no such program".to_owned())
    });
    let client = async {
        let (mut client, driver) = RemoteClient::open(ours, RemoteProtocol::V4, TERMINAL).await;
        let mut sizes = client.take_sizes().unwrap();
        let mut status = Vec::new();
        let tell = async {
            sizes.tell(Size { width: 1, height: 2 }).await.unwrap();
            sizes.tell(wanted).await.unwrap();
        };
        let (driven, (), read) =
            tokio::join!(driver.run(), tell, client.error.read_to_end(&mut status));
        driven.unwrap();
        read.unwrap();
        Outcome::from_status(&status)
    };
    let (served, outcome) = tokio::join!(serve, client);
    served.unwrap();
    assert_eq!(outcome, Outcome::Failed("Internal error occurred: no such program".to_owned()));
}

#[tokio::test]
async fn a_program_whose_client_is_gone_is_dropped() {
    let (ours, theirs) = pipe();
    let server = RemoteServer { protocol: RemoteProtocol::V5, streams: ALL };
    let (mark, dropped) = tokio::sync::oneshot::channel::<()>();
    let serve = server.serve(theirs, |_ends| async move {
        let _mark = mark;
        std::future::pending().await
    });
    drop(ours);
    serve.await.unwrap();
    dropped.await.unwrap_err();
}

/// A port 7 that gives back what it is sent; all others are closed.
async fn dial(port: u16) -> Result<tokio::io::Join<SimplexRead, SimplexWrite>, String> {
    if port != 7 {
        return Err(format!("connection to port {port} refused"));
    }
    let (read, write) = tokio::io::simplex(8 << 10);
    Ok(tokio::io::join(read, write))
}

type SimplexRead = tokio::io::ReadHalf<tokio::io::SimplexStream>;
type SimplexWrite = tokio::io::WriteHalf<tokio::io::SimplexStream>;

async fn echo(client: &ForwardClient, request: u64, sent: &[u8]) -> Vec<u8> {
    let forwarded = client.connect(7, request).unwrap();
    let (mut near, mut far) = pipe();
    let talk = async {
        let (mut read, mut write) = tokio::io::split(&mut near);
        let mut heard = Vec::new();
        let feed = async {
            write.write_all(sent).await?;
            write.shutdown().await
        };
        let (fed, read) = tokio::join!(feed, read.read_to_end(&mut heard));
        fed.unwrap();
        read.unwrap();
        heard
    };
    let (joined, heard) = tokio::join!(forwarded.join(&mut far), talk);
    joined.unwrap();
    heard
}

async fn forwards(tunnel: bool) -> io::Result<()> {
    let (ours, theirs) = pipe();
    let protocol = if tunnel { ForwardProtocol::Tunnel } else { ForwardProtocol::Spdy };
    let serve = ForwardServer { protocol, ports: Vec::new() }.serve(theirs, dial);
    let (client, driver) =
        if tunnel { ForwardClient::open(ours).await } else { ForwardClient::over(ours) };
    let work = async {
        let (first, second) = (vec![1; 200_000], vec![2; 300_000]);
        let (one, two) = tokio::join!(echo(&client, 1, &first), echo(&client, 2, &second));
        assert!(one == first && two == second, "{} and {} bytes", one.len(), two.len());
        let (_near, mut far) = pipe();
        let refused = client.connect(8, 3).unwrap().join(&mut far).await.unwrap_err();
        assert!(matches!(&refused, ForwardError::Refused(text) if text.ends_with("8 refused")));
    };
    tokio::select! {
        served = serve => served,
        driven = driver.run() => driven,
        () = work => Ok(()),
    }
}

#[tokio::test]
async fn ports_are_forwarded_over_spdy() {
    forwards(false).await.unwrap();
}

#[tokio::test]
async fn ports_are_forwarded_over_spdy_in_a_websocket() {
    forwards(true).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_client_of_channels_is_told_when_a_port_has_said_all() {
    // It is open for more, which nobody sends.
    let held = tokio::sync::Mutex::new(Vec::new());
    let dial = |_port| async {
        let (near, mut far) = pipe();
        far.write_all(b"hello").await.unwrap();
        far.shutdown().await.unwrap();
        held.lock().await.push(far);
        Ok::<_, String>(near)
    };
    let (ours, theirs) = pipe();
    let server = ForwardServer { protocol: ForwardProtocol::Channels, ports: vec![7] };
    let client = async {
        let mut socket = WebSocketStream::from_raw_socket(ours, Role::Client, None).await;
        let mut heard = Vec::new();
        while let Some(message) = socket.next().await {
            match message.unwrap() {
                Message::Binary(bytes) => heard.push(bytes.to_vec()),
                Message::Close(_) => break,
                other => panic!("{other:?}"),
            }
        }
        heard
    };
    let (served, heard) = tokio::join!(server.serve(theirs, dial), client);
    served.unwrap();
    assert_eq!(heard, [&[0, 7, 0][..], &[1, 7, 0], b"\0hello"]);
}
