import MeteringModel

/// How far back a change of a record alters what a customer was entitled to.
enum ChangeReach {
    /// Members that say nothing about rights.
    private static let silent: Set<String> = [
        "name", "owner", "metadata", "managed_by", "external_ids", "reason", "renewal",
        "billing_frequency",
    ]

    /// The first instant that the changes may have altered, when it lies before `now`.
    static func earliest(of changes: some Sequence<ControlChange>, now: Timestamp) -> Timestamp? {
        var earliest: Timestamp?
        for change in changes {
            guard let start = start(of: change), start < now else { continue }
            earliest = min(earliest ?? start, start)
        }
        return earliest
    }

    private static func start(of change: ControlChange) -> Timestamp? {
        guard change.kind.isContract else { return nil }
        guard let before = change.before, let after = change.after else {
            guard let document = change.before ?? change.after else { return nil }
            // A customer's own coming or going: before it there was nothing to score.
            if change.kind == .customer, change.effectiveAt == .distantPast { return nil }
            if change.kind == .customer, change.action == .undo, change.after == nil { return nil }
            return max(change.effectiveAt, instant("start", of: document) ?? .distantPast)
        }
        guard let members = before.patch(to: after)?.object else { return nil }
        let names = Set(members.keys).subtracting(silent)
        if names.isEmpty { return nil }
        var bound = least(instant("start", of: before), instant("start", of: after))
        if names.isSubset(of: ["end", "expires"]) {
            // Only what lies behind the nearer end is altered.
            let ends = [before, after].compactMap {
                instant("end", of: $0) ?? instant("expires", of: $0)
            }
            bound = ends.min() ?? bound
        }
        return max(change.effectiveAt, bound ?? .distantPast)
    }

    private static func instant(_ name: String, of document: JSONValue) -> Timestamp? {
        document[name]?.text.flatMap { Timestamp(rfc3339: $0) }
    }

    private static func least(_ left: Timestamp?, _ right: Timestamp?) -> Timestamp? {
        guard let left, let right else { return nil }
        return min(left, right)
    }
}
