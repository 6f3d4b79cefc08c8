/// A JSON document whose numbers keep their digits: no binary floating point on the way.
///
/// Objects compare without regard to the order of their members; `canonicalText` writes them sorted
/// by name, so equal documents have equal bytes (and equal hashes in the audit log).
public enum JSONValue: Hashable, Sendable {
    case null
    case bool(Bool)
    /// A number as written, e.g. `1.50`.
    case number(String)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])
}

extension JSONValue {
    public static func integer(_ value: some BinaryInteger) -> JSONValue { .number(String(value)) }

    /// A string, or null.
    public static func optional(_ text: String?) -> JSONValue {
        text.map(JSONValue.string) ?? .null
    }

    /// An object of the members that have a value.
    public static func members(_ members: [String: JSONValue?]) -> JSONValue {
        .object(members.compactMapValues { $0 })
    }

    public subscript(name: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members[name]
    }

    public var text: String? {
        if case .string(let text) = self { return text }
        return nil
    }

    public var flag: Bool? {
        if case .bool(let flag) = self { return flag }
        return nil
    }

    /// The digits of a number, or of a string.
    public var digits: String? {
        switch self {
        case .number(let text), .string(let text): text
        case .null, .bool, .array, .object: nil
        }
    }

    /// A whole number, written as a number.
    public var integer: Int64? {
        if case .number(let text) = self { return Int64(text) }
        return nil
    }

    public var elements: [JSONValue]? {
        if case .array(let elements) = self { return elements }
        return nil
    }

    public var object: [String: JSONValue]? {
        if case .object(let members) = self { return members }
        return nil
    }

    public var isNull: Bool { self == .null }

    /// RFC 7396: members of `patch` replace those of the same name, null removes, objects merge.
    public func merging(_ patch: JSONValue) -> JSONValue {
        guard case .object(let changes) = patch else { return patch }
        var members: [String: JSONValue] = object ?? [:]
        for (name, change) in changes {
            if change.isNull {
                members[name] = nil
            } else {
                members[name] = (members[name] ?? .object([:])).merging(change)
            }
        }
        return .object(members)
    }
}
