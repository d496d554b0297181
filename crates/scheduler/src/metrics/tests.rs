//! What is told, line by line.

use super::*;
use crate::plan::{Observer as _, Stage};

#[track_caller]
fn tells(text: &str, line: &str) {
    assert!(text.lines().any(|own| own == line), "{line} is missing in\n{text}");
}

#[test]
fn the_names_are_those_of_kubernetes() {
    let metrics = Metrics::default();
    let lane = LaneMetrics::new(metrics.clone(), "default-scheduler");
    let took = Duration::from_millis(3);
    lane.attempt(Outcome::Scheduled, took);
    lane.attempt(Outcome::Unschedulable, took);
    metrics.decided(took);
    lane.passed("Filter", "Success", took);
    metrics.bound(1, took, false);
    metrics.bound(17, took, true);
    metrics.preempted(None);
    metrics.preempted(Some(2));
    metrics.made_room(true, took);
    metrics.incoming("BackoffComplete", "active");
    metrics.pending(Pending { active: 1, backing_off: 2, unschedulable: 3, gated: 4 });
    metrics.sizes(5, 6, 7);
    metrics.hinted("NodeAffinity", "NodeAdd", false, took);
    metrics.took_over("NodeAdd", took);
    let binding = metrics.binding();
    let text = metrics.text();
    for line in [
        "scheduler_schedule_attempts_total{profile=\"default-scheduler\",result=\"scheduled\"} 1",
        "scheduler_scheduling_attempt_duration_seconds_count{profile=\"default-scheduler\",\
         result=\"unschedulable\"} 1",
        "scheduler_scheduling_attempt_duration_seconds_bucket{le=\"0.004\",\
         profile=\"default-scheduler\",result=\"scheduled\"} 1",
        "scheduler_scheduling_algorithm_duration_seconds_count 1",
        "scheduler_framework_extension_point_duration_seconds_count{\
         extension_point=\"Filter\",profile=\"default-scheduler\",status=\"Success\"} 1",
        "scheduler_pod_scheduling_attempts_sum 18.0",
        "scheduler_pod_scheduling_sli_duration_seconds_count{attempts=\"1\"} 1",
        "scheduler_pod_scheduling_sli_duration_seconds_count{attempts=\"16+\"} 1",
        "scheduler_pod_scheduled_after_flush_total 1",
        "scheduler_preemption_attempts_total 2",
        "scheduler_preemption_victims_sum 2.0",
        "scheduler_preemption_goroutines_execution_total{result=\"success\"} 1",
        "scheduler_preemption_goroutines_duration_seconds_count{result=\"success\"} 1",
        "scheduler_pending_pods{queue=\"active\"} 1",
        "scheduler_pending_pods{queue=\"backoff\"} 2",
        "scheduler_pending_pods{queue=\"unschedulable\"} 3",
        "scheduler_pending_pods{queue=\"gated\"} 4",
        "scheduler_queue_incoming_pods_total{event=\"BackoffComplete\",queue=\"active\"} 1",
        "scheduler_queueing_hint_execution_duration_seconds_count{event=\"NodeAdd\",\
         hint=\"QueueSkip\",plugin=\"NodeAffinity\"} 1",
        "scheduler_event_handling_duration_seconds_count{event=\"NodeAdd\"} 1",
        "scheduler_goroutines{operation=\"binding\"} 1",
        "scheduler_cache_size{type=\"assumed_pods\"} 5",
        "scheduler_cache_size{type=\"nodes\"} 6",
        "scheduler_cache_size{type=\"pods\"} 7",
    ] {
        tells(&text, line);
    }
    assert!(text.contains("# HELP scheduler_pending_pods [STABLE] "), "{text}");
    drop(binding);
    tells(&metrics.text(), "scheduler_goroutines{operation=\"binding\"} 0");
}

#[test]
fn pods_without_a_place_are_counted_for_each_plugin_that_refused_them() {
    let metrics = Metrics::default();
    let mut both = FilterSet::of(6);
    both.insert(FilterSet::of(5));
    metrics.refused("x", both, 1);
    metrics.refused("x", FilterSet::of(6), 1);
    metrics.refused("x", both, -1);
    metrics.refused("x", FilterSet::NO_NODES, 1);
    metrics.gated("x", 1);
    let text = metrics.text();
    for (plugin, count) in [("NodeResourcesFit", 1), ("NodePorts", 0), ("SchedulingGates", 1)] {
        let labels = format!("{{plugin=\"{plugin}\",profile=\"x\"}}");
        tells(&text, &format!("scheduler_unschedulable_pods{labels} {count}"));
    }
}

#[test]
fn plugins_are_counted_always_and_measured_at_times() {
    let metrics = Metrics::default();
    let lane = LaneMetrics::new(metrics.clone(), "x");
    for chance in [0, 1] {
        let mut watch = lane.watch(chance);
        watch.plugin_asked(Stage::Filter, "NodePorts", 7);
        if watch.is_close() {
            watch.plugin_begins();
            watch.plugin_ended(Stage::Filter, "NodePorts", "Success");
        }
    }
    let text = metrics.text();
    tells(
        &text,
        "scheduler_plugin_evaluation_total{extension_point=\"Filter\",plugin=\"NodePorts\",\
         profile=\"x\"} 14",
    );
    tells(
        &text,
        "scheduler_plugin_execution_duration_seconds_count{extension_point=\"Filter\",\
         plugin=\"NodePorts\",status=\"Success\"} 1",
    );
}
