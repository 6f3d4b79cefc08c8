package import MeteringModel
package import MeteringPorts

extension ControlDraft {
    /// Makes the record, or patches what differs from it at `effectiveAt`.
    ///
    /// A record that was never there begins at the beginning of time (its own start and end say
    /// when it gives rights); one that was deleted begins anew at `effectiveAt`.
    /// - Parameter document: whole, in the codec's form.
    /// - Returns: false when nothing differs.
    @discardableResult
    package mutating func put(
        _ kind: RecordKind, _ id: String, customer: CustomerID? = nil, _ document: JSONValue,
        effectiveAt: Timestamp? = nil, reason: String? = nil
    ) throws(ControlProblem) -> Bool {
        let document = document.withoutNulls
        let instant = self.instant(kind, effectiveAt)
        guard let history = try history(kind, id), !history.entries.isEmpty else {
            try append(
                .create,
                RecordHistory(
                    kind: kind, id: id,
                    customer: kind == .customer ? CustomerID(id) : customer),
                document, at: .distantPast, reason)
            return true
        }
        guard let before = history.document(at: instant) else {
            try append(.create, history, document, at: instant, reason)
            return true
        }
        guard let patch = before.patch(to: document) else { return false }
        try append(.update, history, patch, at: instant, reason)
        return true
    }

    /// Applies an RFC 7396 patch from `effectiveAt` on.
    /// - Returns: false when it changes nothing.
    /// - Throws: `not_found` when the record is not there at that instant.
    @discardableResult
    package mutating func patch(
        _ kind: RecordKind, _ id: String, _ patch: JSONValue, effectiveAt: Timestamp? = nil,
        reason: String? = nil
    ) throws(ControlProblem) -> Bool {
        let instant = self.instant(kind, effectiveAt)
        guard let history = try history(kind, id), let before = history.document(at: instant) else {
            throw .notFound(kind, id)
        }
        guard let needed = before.patch(to: before.merging(patch)) else { return false }
        try append(.update, history, needed, at: instant, reason)
        return true
    }

    /// Ends the record at `effectiveAt` for good: changes dated later are taken out with it, and
    /// come back when the command is undone.
    /// - Returns: false when it is not there at that instant, but was before.
    /// - Throws: `not_found` when it never was.
    @discardableResult
    package mutating func delete(
        _ kind: RecordKind, _ id: String, effectiveAt: Timestamp? = nil, reason: String? = nil
    ) throws(ControlProblem) -> Bool {
        let instant = self.instant(kind, effectiveAt)
        guard let history = try history(kind, id), !history.entries.isEmpty else {
            throw .notFound(kind, id)
        }
        if history.document(at: instant) == nil { return false }
        for entry in history.entries.reversed() where entry.effectiveAt > instant {
            guard let later = try change(entry.sequence, of: history),
                let current = try self.history(kind, id)
            else {
                throw ControlProblem(
                    .unavailable, "unavailable",
                    "change \(entry.sequence) of \(kind.words) \"\(id)\" is not in the log")
            }
            try append(undoing(later, action: .undo, patch: .object([:])), to: current)
        }
        try append(.delete, try self.history(kind, id) ?? history, .null, at: instant, reason)
        return true
    }

    /// An id that the same request makes again when it is tried again: prefix, underscore, 16
    /// letters.
    package mutating func makeID(_ prefix: String) -> String {
        idCount += 1
        return RecordNames.id(prefix, request: context.requestID, ordinal: idCount)
    }

    /// Holds the context's `If-Match` against a record.
    /// - Throws: `stale` when it has changed since, or is not there.
    package func requireMatch(_ kind: RecordKind, _ id: String) throws(ControlProblem) {
        guard let tag = context.ifMatch else { return }
        let history = try history(kind, id)
        guard let history, !history.entries.isEmpty, history.latest != nil else {
            throw ControlProblem(
                .preconditionFailed, "stale",
                "there is no \(kind.words) \"\(id)\" that If-Match could be held against")
        }
        if tag != "*", tag != String(history.revision) {
            throw ControlProblem(
                .preconditionFailed, "stale",
                "\(kind.words) \"\(id)\" is at revision \(history.revision), not \(tag); "
                    + "read it again and repeat the change")
        }
    }

    // MARK: parts

    /// From when a change of a record holds: definitions change at once, whatever was asked.
    private func instant(_ kind: RecordKind, _ wanted: Timestamp?) -> Timestamp {
        kind.isCatalog ? now : (wanted?.wholeSeconds ?? effectiveAt)
    }

    private mutating func append(
        _ action: ControlChange.Action, _ history: RecordHistory, _ patch: JSONValue,
        at instant: Timestamp, _ reason: String?
    ) throws(ControlProblem) {
        try append(
            ControlChange(
                at: now, actor: context.principal.id, source: context.source,
                reason: reason ?? context.reason, effectiveAt: instant,
                requestID: context.requestID, action: action, kind: history.kind, id: history.id,
                customer: history.customer, patch: patch),
            to: history)
    }

    /// Gives the change its sequence and what was and is; keeps the record as it is after it.
    mutating func append(
        _ change: ControlChange, to history: RecordHistory
    ) throws(ControlProblem) {
        var change = change
        change.sequence = base + Int64(changes.count) + 1
        let instant = change.effectiveAt
        change.before = history.document(at: instant)
        var after = history
        after.apply(change)
        change.after = after.document(at: instant)
        let reference = RecordReference(change.kind, change.id)
        written[reference] = after
        if let customer = change.customer {
            writtenOfCustomer[customer, default: []].insert(reference)
        }
        if change.kind == .customer {
            writtenCustomers.take(CustomerID(change.id), after.latest)
        }
        changes.append(change)
        if change.kind.isCatalog { try takeDefinition(after) }
    }
}
