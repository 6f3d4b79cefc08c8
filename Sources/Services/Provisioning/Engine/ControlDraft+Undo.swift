package import MeteringModel
package import MeteringPorts

extension ControlDraft {
    /// Takes one change out of its record; a change that was itself an undo is made again.
    /// - Returns: false when that was done already.
    /// - Throws: `cannot_undo` when a later change builds on it, naming that change.
    @discardableResult
    package mutating func undo(_ change: ControlChange) throws(ControlProblem) -> Bool {
        guard let history = try history(change.kind, change.id) else {
            throw .notFound(change.kind, change.id)
        }
        if change.action == .undo { return try redo(change, history) }
        guard let change = try standing(change, history) else { return false }
        try requireNothingBuilds(on: change, history)
        try append(undoing(change, action: .undo, patch: .object([:])), to: history)
        let after = try self.history(change.kind, change.id)
        if after?.latest == nil || change.kind == .plan {
            try requireUnused(after, undoing: change)
        }
        return true
    }

    /// The change as it stands in the record: itself, or what made it again after an undo.
    private func standing(
        _ change: ControlChange, _ history: RecordHistory
    ) throws(ControlProblem) -> ControlChange? {
        if history.entries.contains(where: { $0.sequence == change.sequence }) { return change }
        for entry in history.entries
        where entry.sequence > change.sequence && entry.effectiveAt == change.effectiveAt
            && entry.patch == change.patch
        {
            let again = try self.change(entry.sequence, of: history)
            if let again, again.rootSequence == change.rootSequence { return again }
        }
        return nil
    }

    /// Makes the change again that `undo` took out: as a new one, with the same patch and instant.
    private mutating func redo(
        _ undo: ControlChange, _ history: RecordHistory
    ) throws(ControlProblem) -> Bool {
        guard let undone = undo.undoes, let original = try change(undone, of: history) else {
            throw ControlProblem(
                .conflict, "cannot_undo",
                "change \(undo.sequence) of request \"\(undo.requestID)\" does not say what it "
                    + "took out")
        }
        let isThere = history.entries.contains {
            $0.sequence > undo.sequence && $0.effectiveAt == original.effectiveAt
                && $0.patch == original.patch
        }
        if isThere { return false }
        // It is as if the change were made today: it needs what it changes, or a free place.
        let isMade = history.document(at: original.effectiveAt) != nil
        if isMade == (original.action == .create) {
            throw ControlProblem(
                .conflict, "cannot_undo",
                "\(undo.kind.words) \"\(undo.id)\" "
                    + (isMade ? "was made anew since" : "is not there any more"))
        }
        var again = undoing(original, action: original.action, patch: original.patch)
        again.reason = ControlChange.reason(context.reason, redoing: original.rootSequence)
        try append(again, to: history)
        return true
    }

    func undoing(
        _ change: ControlChange, action: ControlChange.Action, patch: JSONValue
    ) -> ControlChange {
        ControlChange(
            at: now, actor: context.principal.id, source: context.source, reason: context.reason,
            // The instant of an undo moves nothing; it says when what it takes out took effect.
            effectiveAt: action == .undo ? change.shownEffectiveAt : change.effectiveAt,
            requestID: context.requestID, action: action,
            kind: change.kind, id: change.id, customer: change.customer, patch: patch,
            undoes: action == .undo ? change.sequence : nil)
    }

    /// Later changes of the same record stand in the way when they speak of the same members, or
    /// when the record itself comes or goes with the one that is taken out.
    private func requireNothingBuilds(
        on change: ControlChange, _ history: RecordHistory
    ) throws(ControlProblem) {
        let names = change.patch.object.map { Set($0.keys) } ?? []
        for entry in history.entries where entry.sequence > change.sequence {
            let isBuilt: Bool
            if change.action == .update, let patch = entry.patch.object {
                isBuilt = !names.isDisjoint(with: patch.keys)
            } else {
                isBuilt = change.action != .update
            }
            if !isBuilt { continue }
            let other = try self.change(entry.sequence, of: history)
            // What was made again after an undo keeps its place in the order of changes.
            if let other, other.rootSequence < change.rootSequence { continue }
            let request = other?.requestID ?? ""
            throw ControlProblem(
                .conflict, "cannot_undo",
                "\(change.kind.words) \"\(change.id)\" was changed again by request \"\(request)\" "
                    + "(change \(entry.sequence)); undo that one first")
        }
    }

    /// What is gone must not be used by anything that stays.
    private func requireUnused(
        _ record: RecordHistory?, undoing change: ControlChange
    ) throws(ControlProblem) {
        guard let use = try use(of: change.kind, change.id, without: record?.latest) else { return }
        throw ControlProblem(
            .conflict, "cannot_undo",
            "\(change.kind.words) \"\(change.id)\" is used by \(use); change that first")
    }

    /// One row of the log, this draft's own included.
    func change(
        _ sequence: Int64, of history: RecordHistory
    ) throws(ControlProblem) -> ControlChange? {
        if sequence > base { return changes.first { $0.sequence == sequence } }
        let rows = try stored { store throws(ControlStoreError) in
            try store.changes(
                AuditFilter(kind: history.kind, id: history.id), after: sequence - 1, limit: 1)
        }
        return rows.first?.change.sequence == sequence ? rows.first?.change : nil
    }
}

extension ControlChange {
    private static let redoing = "redoes change "

    /// A reason that says in the log which change is made again.
    static func reason(_ reason: String?, redoing sequence: Int64) -> String {
        (reason.map { $0 + "; " } ?? "") + redoing + String(sequence)
    }

    /// The sequence of the change that this one is or makes again.
    var rootSequence: Int64 {
        let last = reason?.split(separator: ";").last.map { $0.drop { $0 == " " } }
        guard let last, last.hasPrefix(Self.redoing),
            let root = Int64(last.dropFirst(Self.redoing.count)), root < sequence
        else { return sequence }
        return root
    }
}
