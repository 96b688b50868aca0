//! A report with every part, for the tests of its forms.

use super::*;
use crate::Interval;

fn spread(median: f64) -> Spread {
    let (min, max) = (median * 0.9, median * 1.1);
    Spread { median, min, max, confident: Interval { from: min, to: max } }
}

fn row(target: &str, per_sec: f64) -> Option<Row> {
    let exactly = Spread::single(per_sec);
    Some(Row {
        target: target.to_owned(),
        answers: 1_000,
        requests_per_sec: exactly,
        p50_us: spread(500.0),
        p99_us: spread(1e9 / per_sec),
        p999_us: spread(20_000.0),
        cpu_us_per_request: Some(spread(1e6 / per_sec)),
        server_busy: Some(spread(0.9)),
        generator_busy: spread(0.8),
        late_p99_us: None,
        unsent: 0,
        resident_bytes: Some(spread(2e7)),
    })
}

fn comparison() -> Comparison {
    Comparison {
        due_per_sec: None,
        server: row("obol", 90_000.0),
        ceiling: row("ceiling", 100_000.0),
        ratio_by_cpu: Some(spread(0.96)),
        ratio_by_rate: Some(spread(0.9)),
        p99_over_ceiling: Some(spread(1.1)),
    }
}

fn sweeps() -> Sweeps {
    Sweeps {
        start: Some(StartFigures { first_200_ms: Some(spread(60.0)), idle_bytes: Some(spread(1e7)) }),
        revocations: [0, 10_000_000]
            .map(|live| RevocationsRow {
                live,
                first_200_ms: Some(4_000.0),
                idle_bytes: Some(400_000_000),
                bytes_per_revocation: (live > 0).then_some(40.0),
                data_bytes: 1,
                verify: row("obol", 80_000.0),
                ratio_to_none_by_cpu: Some(spread(1.0)),
                ratio_to_none_by_rate: Some(spread(1.0)),
            })
            .to_vec(),
        connections: Some(ConnectionsFigures {
            rows: vec![ConnectionsRow { connections: 1_024, figures: comparison() }],
            idle: IdleFigures {
                connections: 10_000,
                idle_bytes: Some(9_000_000),
                bytes_per_unused_connection: Some(9_000.0),
                bytes_per_used_connection: Some(12_000.0),
            },
        }),
        storm: Some(StormFigures {
            verify_per_sec: Some(spread(40_000.0)),
            wished_revocations_per_sec: 5_000.0,
            revocations_per_sec: Some(spread(4_900.0)),
            p99_over_quiet: Some(spread(1.5)),
            quiet: row("obol", 40_000.0),
            storm: row("obol", 39_000.0),
        }),
        rate: Some(RateFigures {
            rows: [0.3, 0.7]
                .map(|share| {
                    let due_per_sec = Some(spread(90_000.0 * share));
                    RateRow { share, figures: Comparison { due_per_sec, ..comparison() } }
                })
                .to_vec(),
        }),
        durability: Some(DurabilityFigures {
            commit_p50_us: Some(spread(900.0)),
            commits_per_sec: Some(spread(1_100.0)),
            p50_over_commit_us: Some(spread(200.0)),
            times_commits_per_sec: Some(spread(12.0)),
            one_at_a_time: row("obol", 900.0),
            many_at_a_time: row("obol", 13_000.0),
            many: 64,
        }),
    }
}

/// A report in which everything was measured.
pub(super) fn sample() -> Report {
    let mut report = Report {
        format: 1,
        at: "2026-11-21T10:00:00Z".to_owned(),
        machine: Machine {
            cpu: "A <processor> & more".to_owned(),
            cores: 2,
            memory_bytes: 8 << 30,
            kernel: "Linux 6".to_owned(),
            governor: Some("performance".to_owned()),
            virtual_machine: true,
            file_system: "ext4".to_owned(),
            version: "0.1.0".to_owned(),
            rustc: "rustc 1.90.0".to_owned(),
            profile: "release".to_owned(),
            commit: Some("abcdef0+".to_owned()),
            load_average: 0.1,
        },
        settings: Settings {
            server: "own".to_owned(),
            connections: 64,
            load: "closed".to_owned(),
            protocol: "HTTP/1.1".to_owned(),
            tls: false,
            duration_ms: 1_000,
            repeats: 3,
            server_cores: vec![1],
            generator_cores: vec![0],
        },
        paths: [
            ("verify-valid", comparison()),
            ("forward-auth", comparison()),
            ("introspect", comparison()),
            ("introspect-batch", comparison()),
            ("client-credentials", comparison()),
        ]
        .map(|(path, figures)| PathFigures { path, connections: 64, figures })
        .to_vec(),
        sweeps: sweeps(),
        shown: Vec::new(),
        remarks: vec!["A remark with <b>.".to_owned()],
    };
    report.conclude();
    report
}

#[test]
fn every_promised_figure_is_shown_when_it_was_measured() {
    let report = sample();
    assert_eq!(report.shown.len(), 17, "{:#?}", report.shown);
    let broken = report.shown.iter().filter(|shown| shown.holds == Some(false)).map(|shown| shown.figure);
    let expected = ["verify, valid token, ratio to the ceiling by requests/s", "start on an empty folder"];
    assert_eq!(broken.collect::<Vec<_>>(), expected);
}

#[test]
fn a_figure_that_was_not_measured_is_not_shown() {
    let mut report = sample();
    report.sweeps = Sweeps::default();
    report.paths.clear();
    report.conclude();
    assert!(report.shown.is_empty(), "{:#?}", report.shown);
}

#[test]
fn a_generator_at_its_end_is_said() {
    let mut report = sample();
    assert_eq!(report.remarks.len(), 1);
    for path in &mut report.paths {
        let server = path.figures.server.as_mut().unwrap();
        (server.generator_busy, server.server_busy) = (spread(0.99), Some(spread(0.7)));
    }
    report.conclude();
    let remark = report.remarks.last().unwrap();
    assert!(remark.contains("generator was the limit on verify-valid"), "{remark}");
}

#[test]
fn a_latency_that_is_the_generators_own_proves_nothing() {
    let mut report = sample();
    let storm = report.sweeps.storm.as_mut().unwrap().storm.as_mut().unwrap();
    storm.late_p99_us = Some(storm.p99_us);
    report.conclude();
    let unclear = report.shown.iter().filter(|shown| shown.holds.is_none()).map(|shown| shown.figure);
    let expected = ["verify p99 in a storm of revocations over its p99 without"];
    assert_eq!(unclear.collect::<Vec<_>>(), expected);
    assert!(report.remarks.last().unwrap().contains("came late"), "{:?}", report.remarks);
}

#[test]
fn who_does_not_keep_up_with_a_rate_below_its_capacity_was_disturbed() {
    let mut report = sample();
    let ceiling = report.sweeps.rate.as_mut().unwrap().rows[1].figures.ceiling.as_mut().unwrap();
    ceiling.requests_per_sec = spread(50_000.0);
    report.conclude();
    let unclear = report.shown.iter().filter(|shown| shown.holds.is_none()).map(|shown| shown.figure);
    let expected = ["verify p99 at 70 % of its capacity over the ceiling's at that rate"];
    assert_eq!(unclear.collect::<Vec<_>>(), expected);
}

#[test]
fn a_median_that_may_lie_far_away_on_either_side_of_a_promise_proves_nothing() {
    let mut report = sample();
    for (from, to, holds) in
        [(0.4, 4.0, None), (0.9, 1.9, Some(true)), (0.9, 2.1, Some(true)), (2.1, 9.0, Some(false))]
    {
        let median = if from > 2.0 { 3.0 } else { 1.5 };
        let measured = Spread { median, min: 0.01, max: 99.0, confident: Interval { from, to } };
        report.sweeps.storm.as_mut().unwrap().p99_over_quiet = Some(measured);
        report.conclude();
        let storm = report.shown.iter().find(|shown| shown.figure.contains("storm")).unwrap();
        assert_eq!(storm.holds, holds, "{from} to {to}");
    }
}

#[test]
fn a_disk_that_does_not_wait_is_said() {
    let mut report = sample();
    report.sweeps.durability.as_mut().unwrap().commit_p50_us = Some(spread(20.0));
    report.conclude();
    assert!(report.remarks.last().unwrap().contains("20 µs"), "{:?}", report.remarks);
}

#[test]
fn every_form_has_every_table() {
    let report = sample();
    let (text, html, markdown) = (report.text(), report.html(), report.put_into_markdown(""));
    for table in report.tables() {
        assert!(text.contains(&table.title.to_uppercase()), "{}", table.title);
        assert!(html.contains(&format!("<h2>{}</h2>", table.title)), "{}", table.title);
        assert!(markdown.contains(&format!("### {}", table.title)), "{}", table.title);
        for row in &table.rows {
            assert_eq!(row.len(), table.header.len(), "{}", table.title);
        }
    }
}

#[test]
fn the_page_needs_nothing_else_and_obeys_no_text() {
    let html = sample().html();
    for foreign in ["http://", "https://", "<script", "src=", "@import", "url("] {
        assert!(!html.contains(foreign), "{foreign}");
    }
    assert!(html.contains("A &lt;processor&gt; &amp; more") && html.contains("A remark with &lt;b&gt;."));
}

#[test]
fn json_has_the_keys_that_others_read() {
    let json = serde_json::to_value(sample()).unwrap();
    assert_eq!(json["paths"][0]["server"]["requests_per_sec"]["median"], 90_000.0);
    assert_eq!(json["paths"][0]["ratio_by_cpu"]["median"], 0.96);
    assert_eq!(json["sweeps"]["revocations"][1]["bytes_per_revocation"], 40.0);
    assert_eq!(json["shown"][0]["holds"], true);
}
