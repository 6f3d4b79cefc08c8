import MeteringModel

/// The lines of one slot of a subscription on one track: cycle by cycle, each by itself.
struct FeeTrackRating {
    let subscription: String
    let slot: FeeSlot
    let track: FeeTrack
    /// Ascending; not empty.
    let runs: [FeeRun]
    let zone: TimeZoneRules

    func lines(dueIn window: Period) throws(RatingError) -> [RatedLine] {
        var lines: [RatedLine] = []
        for cycle in try cycles(overlapping: window) {
            let pieces = runs.compactMap { $0.piece(in: cycle) }
            for line in try self.lines(of: cycle, pieces) where isDue(line, in: window) {
                lines.append(line)
            }
        }
        return lines
    }

    private var isInArrears: Bool { track.timing == .arrears && track.cycle != .once }

    private func isDue(_ line: RatedLine, in window: Period) -> Bool {
        isInArrears
            ? window.start < line.dueAt && line.dueAt <= window.end
            : window.contains(line.dueAt)
    }

    private func lines(
        of cycle: Period, _ pieces: [FeeRun]
    ) throws(RatingError) -> [RatedLine] {
        let maker = FeeLineMaker(subscription: subscription, slot: slot, cycle: cycle)
        if !track.prorates || track.cycle == .once {
            return try isInArrears
                ? maker.dearest(of: pieces) : maker.increases(pieces)
        }
        if isInArrears {
            var lines: [RatedLine] = []
            for piece in pieces {
                lines.append(
                    try maker.line(.charge, piece, from: piece.from, to: piece.to, at: cycle.end))
            }
            return lines
        }
        return try maker.changes(pieces)
    }

    /// The billing cycles that lie in the window or reach into it, while there are runs.
    private func cycles(overlapping window: Period) throws(RatingError) -> [Period] {
        let first = runs[0].from
        let last = runs[runs.count - 1].to
        guard case .every(let rule) = track.cycle else {
            return [Period(start: first, end: .distantFuture)]
        }
        var cycles: [Period] = []
        var next = rule.period(containing: max(first, window.start), zone: zone)
        while next.start < min(last, window.end) {
            if cycles.count == FeeRating.cyclesMax {
                throw RatingError(
                    .tooManyCycles,
                    "subscription \"\(subscription)\" has more than \(FeeRating.cyclesMax) "
                        + "billing cycles from \(window.start.rfc3339()) on; ask for less time")
            }
            cycles.append(next)
            let following = rule.period(containing: next.end, zone: zone)
            // The calendar's last period follows itself.
            if following.start <= next.start { break }
            next = following
        }
        return cycles
    }
}

extension FeeRun {
    /// The part in a cycle; nil when there is none.
    fileprivate func piece(in cycle: Period) -> FeeRun? {
        var piece = self
        piece.from = max(from, cycle.start)
        piece.to = min(to, cycle.end)
        return piece.from < piece.to ? piece : nil
    }
}
