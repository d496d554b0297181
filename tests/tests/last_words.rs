//! What a program leaves as its termination message reaches the pod's status.

use wk_tests::Cluster;

/// The message of a pod whose container runs `arguments` to its end, with more of the container's
/// and the pod's specification.
fn message(cluster: &Cluster, name: &str, arguments: &str, more: &str) -> String {
    let image = format!("{}/tests/testguest:1", cluster.registry());
    cluster.apply(&format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec:\n  restartPolicy: Never\n  \
         containers:\n  - name: main\n    image: {image}\n    args: {arguments}\n{more}"
    ));
    let reason = wk_tests::eventually(&format!("`{name}` has ended"), || {
        let pod = cluster.object("pod", name)?;
        let ended = matches!(pod["status"]["phase"].as_str()?, "Succeeded" | "Failed");
        ended.then(|| pod["status"]["containerStatuses"][0]["state"]["terminated"].clone())
    });
    reason["message"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn last_words_are_read_back() {
    let cluster = Cluster::start();
    cluster.push_example("testguest");
    let words = "[write, /dev/termination-log, good bye]";
    assert_eq!(message(&cluster, "usual", words, ""), "good bye");

    let elsewhere = "[write, /tmp/words, so long]";
    let path = "    terminationMessagePath: /tmp/words\n";
    assert_eq!(message(&cluster, "elsewhere", elsewhere, path), "so long");

    let in_volume = "[write, /data/words, farewell]";
    let volume = "    terminationMessagePath: /data/words\n    volumeMounts:\n    \
                  - {name: data, mountPath: /data}\n  volumes: [{name: data, emptyDir: {}}]\n";
    assert_eq!(message(&cluster, "volume", in_volume, volume), "farewell");

    let long = format!("[write, /dev/termination-log, {}end]", "x".repeat(5000));
    let kept = message(&cluster, "long", &long, "");
    assert!(kept.len() == 4096 && kept.ends_with("xend"), "{} bytes", kept.len());
}

#[test]
fn a_program_that_fails_in_silence_is_quoted_from_its_log() {
    let cluster = Cluster::start();
    cluster.push_example("testguest");
    let fallback = "    terminationMessagePolicy: FallbackToLogsOnError\n";
    let quoted = message(&cluster, "failed", "[cat, /missing]", fallback);
    assert!(quoted.contains("/missing"), "{quoted}");
    assert_eq!(message(&cluster, "silent", "[cat, /missing]", ""), "", "not without the policy");
    assert_eq!(message(&cluster, "fine", "[print, '3']", fallback), "", "not after a success");

    // Each of the lines is `no such command: [...]`, in one line that is longer than the limit.
    let long = message(&cluster, "long", &format!("[{}]", "y".repeat(3000)), fallback);
    assert_eq!(long.len(), 2048);
    assert!(long.ends_with("]\n"), "{}", long.get(2000..).unwrap());
}
