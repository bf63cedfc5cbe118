//! Two reports side by side: what became slower?

use std::collections::BTreeMap;

use super::report::{Report, Row};

/// A workload in an earlier report and in a later one.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Name of the workload.
    pub workload: String,
    /// Columns, rows, planes.
    pub shape: String,
    /// Id of the engine.
    pub engine: String,
    /// Median wall times in seconds, earlier and later.
    pub seconds: Option<(f64, f64)>,
    /// Later over earlier: above 1 is slower.
    pub ratio: Option<f64>,
    /// What this says.
    pub change: Change,
}

/// What a comparison says.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Change {
    /// Faster by more than the threshold.
    Faster,
    /// Within the threshold.
    Same,
    /// Slower by more than the threshold: a regression.
    Slower,
    /// Not the same work, or not there; says why.
    NotComparable(String),
}

impl Comparison {
    /// True where it became slower by more than the threshold.
    pub fn is_regression(&self) -> bool {
        self.change == Change::Slower
    }
}

/// Compares the rows of `later` with those of `earlier` that have the same workload, shape, inputs and engine.
/// `threshold`: change of the median wall time that counts, e.g. 0.1 for 10 %.
pub fn compare(earlier: &Report, later: &Report, threshold: f64) -> Vec<Comparison> {
    let key = |row: &Row| (row.workload.clone(), row.shape.clone(), row.engine.clone());
    let known: BTreeMap<_, _> = earlier.rows.iter().map(|row| (key(row), row)).collect();
    let adapter = |report: &Report, id: &str| {
        report.engines.iter().find(|e| e.id == id).map(|e| e.adapter.clone()).unwrap_or_default()
    };
    let one = |row: &Row| {
        let (workload, shape, engine) = key(row);
        let not = |why: &str| Comparison {
            workload: workload.clone(),
            shape: shape.clone(),
            engine: engine.clone(),
            seconds: None,
            ratio: None,
            change: Change::NotComparable(why.to_string()),
        };
        let Some(before) = known.get(&key(row)) else { return not("not in the earlier report") };
        let Some(now) = row.outcome.measured() else { return not("not measured now") };
        let Some(then) = before.outcome.measured() else { return not("not measured in the earlier report") };
        if row.inputs != before.inputs {
            return not("other inputs");
        }
        if adapter(earlier, &row.engine) != adapter(later, &row.engine) {
            return not("another adapter");
        }
        let ratio = now.wall.median / then.wall.median.max(1e-12);
        let change = if ratio > 1.0 + threshold {
            Change::Slower
        } else if ratio < 1.0 / (1.0 + threshold) {
            Change::Faster
        } else {
            Change::Same
        };
        let seconds = Some((then.wall.median, now.wall.median));
        Comparison { workload: workload.clone(), shape, engine, seconds, ratio: Some(ratio), change }
    };
    later.rows.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::super::run::{BenchOptions, run};
    use super::super::{Host, Outcome, Size};
    use super::*;
    use crate::compute::BackendChoice;
    use crate::control::Control;

    fn report() -> Report {
        let options = BenchOptions {
            backends: vec![BackendChoice::Reference],
            workloads: vec!["cash".into(), "edisp".into()],
            size: Some(Size::Tiny),
            ceilings: false,
            ..BenchOptions::quick()
        };
        run(&options, Host::default(), &Control::new(), &|_| {}).unwrap()
    }

    fn slowed(report: &Report, factor: f64) -> Report {
        let mut slow = report.clone();
        for row in &mut slow.rows {
            if let Outcome::Done(measured) = &mut row.outcome {
                measured.wall.median *= factor;
            }
        }
        slow
    }

    #[test]
    fn slower_same_and_faster() {
        let base = report();
        for (factor, change) in [
            (1.0, Change::Same),
            (1.09, Change::Same),
            (1.2, Change::Slower),
            (0.95, Change::Same),
            (0.5, Change::Faster),
        ] {
            for found in compare(&base, &slowed(&base, factor), 0.1) {
                assert_eq!(found.change, change, "{factor}");
                assert_eq!(found.is_regression(), factor > 1.1);
                assert!((found.ratio.unwrap() - factor).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn other_work_is_not_compared() {
        let base = report();
        let why = |later: &Report| match &compare(&base, later, 0.1)[0].change {
            Change::NotComparable(why) => why.clone(),
            other => panic!("{other:?}"),
        };
        let mut other = slowed(&base, 9.0);
        other.rows[0].inputs = Some("0".into());
        assert_eq!(why(&other), "other inputs");
        other = slowed(&base, 9.0);
        other.rows[0].engine = "gpu:7".into();
        assert_eq!(why(&other), "not in the earlier report");
        other = slowed(&base, 9.0);
        other.engines[0].adapter = "a newer one".into();
        assert_eq!(why(&other), "another adapter");
        other.rows[0].outcome = Outcome::no_room(1);
        assert_eq!(why(&other), "not measured now");
    }

    #[test]
    fn a_stored_report_is_the_same_when_it_is_read() {
        let base = report();
        let text = serde_json::to_string(&base).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), base);
    }
}
