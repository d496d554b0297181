//! The commands, one a module.

mod annotate;
mod api_resources;
mod api_versions;
mod apply;
mod auth;
mod autoscale;
mod certificate;
mod changing;
mod cluster_info;
mod completion;
mod config;
mod cp;
mod create;
mod debug;
mod delete;
mod describe;
mod diff;
mod drain;
mod edit;
mod events;
mod exec;
mod explain;
mod expose;
mod following;
mod get;
mod kustomize;
mod logs;
mod patch;
mod port_forward;
mod proxy;
mod push;
mod replace;
mod rollout;
mod run;
mod scale;
pub(crate) mod select;
mod set;
mod snapshot;
mod streams;
mod taint;
mod top;
mod version;
mod wait;
mod writing;

use crate::session::Session;

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Create or change objects so that they are as their files say
    Apply(apply::ApplyArgs),
    /// Show objects
    Get(get::GetArgs),
    /// Show objects in detail, with their events
    Describe(describe::DescribeArgs),
    /// Print what containers have written
    Logs(logs::LogsArgs),
    /// Run a program in a container
    Exec(exec::ExecArgs),
    /// Talk to the program that a container runs
    Attach(exec::AttachArgs),
    /// Lead local ports into a pod
    PortForward(port_forward::PortForwardArgs),
    /// Serve the API on a local port
    Proxy(proxy::ProxyArgs),
    /// Copy files to and from a container
    Cp(cp::CpArgs),
    /// Look into a pod with a container beside it, a copy of it, or a pod on a node
    Debug(debug::DebugArgs),
    /// Delete objects
    Delete(delete::DeleteArgs),
    /// Create objects, from files or from what is said
    Create(create::CreateArgs),
    /// Push a Wasm file, or a folder with one or an OCI layout, to a registry
    Push(push::PushArgs),
    /// Run an image in a pod
    Run(run::RunArgs),
    /// Wait for a condition
    Wait(wait::WaitArgs),
    /// List events
    Events(events::EventsArgs),
    /// See how a change of pods goes, go back, or start pods anew
    Rollout(rollout::RolloutArgs),
    /// Change how many pods a workload has
    Scale(scale::ScaleArgs),
    /// Let the number of pods of a workload follow its load
    Autoscale(autoscale::AutoscaleArgs),
    /// Make a service for a workload, a pod or another service
    Expose(expose::ExposeArgs),
    /// Change images, variables and other parts of objects
    Set(set::SetArgs),
    /// Change labels
    Label(annotate::LabelArgs),
    /// Change annotations
    Annotate(annotate::AnnotateArgs),
    /// Change fields of objects
    Patch(patch::PatchArgs),
    /// Change an object in an editor
    Edit(edit::EditArgs),
    /// Replace objects by what their files say
    Replace(replace::ReplaceArgs),
    /// Show what `apply` would change
    Diff(diff::DiffArgs),
    /// Print the objects that a kustomization comes to
    Kustomize(kustomize::KustomizeArgs),
    /// Let nodes take no more pods
    Cordon(drain::CordonArgs),
    /// Let nodes take pods again
    Uncordon(drain::CordonArgs),
    /// Send the pods of nodes elsewhere
    Drain(drain::DrainArgs),
    /// Change what keeps pods off nodes
    Taint(taint::TaintArgs),
    /// Show what nodes and pods use
    Top(top::TopArgs),
    /// Show what fields mean
    Explain(explain::ExplainArgs),
    /// Show who you are, and what you may do
    Auth(auth::AuthArgs),
    /// Approve or deny certificates
    Certificate(certificate::CertificateArgs),
    /// Show the kubeconfig, and change the context
    Config(config::ConfigArgs),
    /// List the versions of the server's API
    ApiVersions(api_versions::ApiVersionsArgs),
    /// List the resources of the server
    ApiResources(api_resources::ApiResourcesArgs),
    /// Show where the cluster is
    ClusterInfo(cluster_info::ClusterInfoArgs),
    /// Show the versions of client and server
    Version(version::VersionArgs),
    /// Save everything that the server stores, restore it, or check what was saved
    Snapshot(snapshot::SnapshotArgs),
    /// Print a script that completes command lines in a shell
    Completion(completion::CompletionArgs),
}

impl Command {
    /// Does it.
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        match self {
            Self::Apply(args) => apply::run(session, args).await,
            Self::Get(args) => get::run(session, args).await,
            Self::Describe(args) => describe::run(session, args).await,
            Self::Logs(args) => logs::run(session, args).await,
            Self::Exec(args) => exec::exec(session, args).await,
            Self::Attach(args) => exec::attach(session, args).await,
            Self::PortForward(args) => port_forward::run(session, args).await,
            Self::Proxy(args) => proxy::run(session, args).await,
            Self::Cp(args) => cp::run(session, args).await,
            Self::Debug(args) => debug::run(session, args).await,
            Self::Delete(args) => delete::run(session, args).await,
            Self::Create(args) => create::run(session, args).await,
            Self::Push(args) => push::run(session, args).await,
            Self::Run(args) => run::run(session, args).await,
            Self::Wait(args) => wait::run(session, args).await,
            Self::Events(args) => events::run(session, args).await,
            Self::Rollout(args) => rollout::run(session, args).await,
            Self::Scale(args) => scale::run(session, args).await,
            Self::Autoscale(args) => autoscale::run(session, args).await,
            Self::Expose(args) => expose::run(session, args).await,
            Self::Set(args) => set::run(session, args).await,
            Self::Label(args) => annotate::label(session, args).await,
            Self::Annotate(args) => annotate::annotate(session, args).await,
            Self::Patch(args) => patch::run(session, args).await,
            Self::Edit(args) => edit::run(session, args).await,
            Self::Replace(args) => replace::run(session, args).await,
            Self::Diff(args) => diff::run(session, args).await,
            Self::Kustomize(args) => kustomize::run(session, &args),
            Self::Cordon(args) => drain::cordon(session, args).await,
            Self::Uncordon(args) => drain::uncordon(session, args).await,
            Self::Drain(args) => drain::drain(session, args).await,
            Self::Taint(args) => taint::run(session, args).await,
            Self::Top(args) => top::run(session, args).await,
            Self::Explain(args) => explain::run(session, args).await,
            Self::Auth(args) => auth::run(session, args).await,
            Self::Certificate(args) => certificate::run(session, args).await,
            Self::Config(args) => config::run(session, args),
            Self::ApiVersions(args) => api_versions::run(session, args).await,
            Self::ApiResources(args) => api_resources::run(session, args).await,
            Self::ClusterInfo(args) => cluster_info::run(session, args).await,
            Self::Version(args) => version::run(session, args).await,
            Self::Snapshot(args) => snapshot::run(session, args).await,
            Self::Completion(args) => completion::run(session, &args),
        }
    }
}
