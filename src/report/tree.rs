//! The order and depth in which the artifacts of a report are shown.

use crate::model::{Finding, Id, Report};

/// Which artifacts are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// Those that carry findings, with everything above them.
    WithFindings,
    /// All.
    All,
}

/// The artifacts of a report, each with its depth, parents before children and brothers in their order.
pub(super) fn rows(report: &Report, shown: Shown) -> Vec<(usize, Id)> {
    let tree = &report.artifacts;
    let mut wanted = vec![shown == Shown::All; tree.len()];
    for finding in &report.findings {
        let mut next = Some(finding.artifact);
        // Ends because a parent's id is smaller than its child's, and at what is marked already.
        while let Some(at) = next.and_then(index) {
            match wanted.get_mut(at) {
                Some(mark) if !*mark => *mark = true,
                _ => break,
            }
            next = tree.get(at).and_then(|artifact| artifact.parent);
        }
    }
    let mut children: Vec<Vec<Id>> = vec![Vec::new(); tree.len()];
    let mut todo: Vec<(usize, Id)> = Vec::new();
    for artifact in tree.iter().rev() {
        if !index(artifact.id)
            .and_then(|at| wanted.get(at))
            .is_some_and(|wanted| *wanted)
        {
            continue;
        }
        let above = artifact
            .parent
            .and_then(index)
            .and_then(|at| children.get_mut(at));
        match above {
            Some(list) => list.push(artifact.id),
            None => todo.push((0, artifact.id)),
        }
    }
    let mut rows = Vec::new();
    while let Some((depth, id)) = todo.pop() {
        rows.push((depth, id));
        let below = index(id).and_then(|at| children.get_mut(at));
        let below = below.map(std::mem::take).unwrap_or_default();
        // Lists were filled backwards, so the first child is popped first.
        todo.extend(
            below
                .into_iter()
                .map(|child| (depth.saturating_add(1), child)),
        );
    }
    rows
}

/// The findings of each artifact, by its id.
pub(super) fn findings_of(report: &Report, id: Id) -> impl Iterator<Item = &Finding> {
    // Findings stand artifact by artifact, so that each is found without going through all.
    let start = report
        .findings
        .partition_point(|finding| finding.artifact < id);
    report
        .findings
        .get(start..)
        .unwrap_or_default()
        .iter()
        .take_while(move |finding| finding.artifact == id)
}

/// The artifact of an id.
pub(super) fn artifact(report: &Report, id: Id) -> Option<&crate::model::Artifact> {
    report.artifacts.get(index(id)?)
}

fn index(id: Id) -> Option<usize> {
    usize::try_from(id).ok()
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn rows_go_down_before_they_go_on_and_leave_out_what_carries_nothing() {
        let report = samples::mail_with_macro();
        assert_eq!(
            rows(&report, Shown::WithFindings),
            [(0, 0), (1, 2), (2, 3), (3, 4)]
        );
        assert_eq!(
            rows(&report, Shown::All),
            [(0, 0), (1, 1), (1, 2), (2, 3), (3, 4)]
        );
    }

    #[test]
    fn findings_are_found_by_artifact() {
        let report = samples::mail_with_macro();
        assert_eq!(findings_of(&report, 4).count(), 2);
        assert_eq!(findings_of(&report, 0).count(), 0);
    }
}
