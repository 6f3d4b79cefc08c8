package import MeteringModel

extension JSONValue {
    /// The RFC 7396 patch that makes `next` of this document; nil when they are the same.
    package func patch(to next: JSONValue) -> JSONValue? {
        if self == next { return nil }
        guard case .object(let old) = self, case .object(let new) = next else { return next }
        var changes: [String: JSONValue] = [:]
        for (name, value) in new {
            guard let before = old[name] else {
                changes[name] = value
                continue
            }
            changes[name] = before.patch(to: value)
        }
        for name in old.keys where new[name] == nil { changes[name] = .null }
        return .object(changes)
    }

    /// Without members that are null: what is kept of a document that was sent whole.
    package var withoutNulls: JSONValue { JSONValue.object([:]).merging(self) }

    /// With other members set (nil leaves them out).
    package func setting(_ members: [String: JSONValue?]) -> JSONValue {
        var all = object ?? [:]
        for (name, value) in members { all[name] = value }
        return .object(all)
    }
}

extension Timestamp {
    /// This instant without its fraction of a second: the grain of the control plane's fields.
    package var wholeSeconds: Timestamp { Timestamp(seconds: seconds) }
}
