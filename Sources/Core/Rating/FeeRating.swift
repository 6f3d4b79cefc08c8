package import MeteringModel

/// Recurring fees of plans, seats and add-ons, in lines with amounts. A pure function.
///
/// A subscription's billing cycles begin at its anchor (or its start) and every month, quarter or
/// year after it, in the customer's zone. Nothing is due during a trial, while the customer is not
/// there or not of production, while the product is revoked, and after the end; a suspension
/// changes nothing.
package enum FeeRating {
    /// Cycles of one item that one window may hold.
    package static let cyclesMax = 20_000

    /// The lines that fall due in a window, by the instant at which they do.
    ///
    /// - In advance: a cycle is charged when it begins, or when the item begins within it, for the
    ///   rest of the cycle. What changes or ends within it is charged or credited then, for the
    ///   rest. Due in [window.start, window.end).
    /// - In arrears: one line for each piece of a cycle under the same terms, when the cycle ends.
    ///   Due in (window.start, window.end]: what ends with the window belongs to it.
    /// - Not prorated: a cycle that was begun costs all of it; what costs more within it costs the
    ///   full difference to the most so far, and nothing is credited. In arrears the most counts.
    /// - Once: due when the subscription begins to be paid, not prorated.
    ///
    /// Consecutive windows give each line exactly once.
    /// - Throws: `overflow`, `tooManyCycles`.
    package static func lines(
        _ account: FeeAccount, dueIn window: Period
    ) throws(RatingError) -> [RatedLine] {
        var lines: [RatedLine] = []
        for held in account.contract.subscriptions {
            for (slot, runs) in FeeTimeline(held, account).runs() {
                var tracks: [FeeTrack] = []
                var runsOfTrack: [FeeTrack: [FeeRun]] = [:]
                for run in runs {
                    let track = run.terms.track
                    if runsOfTrack[track] == nil { tracks.append(track) }
                    runsOfTrack[track, default: []].append(run)
                }
                for track in tracks {
                    let rater = FeeTrackRating(
                        subscription: held.id, slot: slot, track: track,
                        runs: runsOfTrack[track] ?? [], zone: account.zone)
                    lines += try rater.lines(dueIn: window)
                }
            }
        }
        return lines.sorted {
            if $0.dueAt != $1.dueAt { return $0.dueAt < $1.dueAt }
            return $0.key.utf8.lexicographicallyPrecedes($1.key.utf8)
        }
    }
}
