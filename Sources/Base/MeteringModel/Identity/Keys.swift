/// A string identifier that cannot be mistaken for another kind of identifier.
///
/// Identifiers are bytes to every store, log and look-up table, so they are here: two that Swift's
/// `String` takes for the same text (é as one scalar or as two, K and the Kelvin sign) are two.
public protocol StringKey: RawRepresentable, Hashable, Sendable, Comparable, Codable,
    CustomStringConvertible, ExpressibleByStringLiteral
where RawValue == String {
    init(rawValue: String)
}

extension StringKey {
    public init(_ value: some StringProtocol) { self.init(rawValue: String(value)) }
    public init(stringLiteral value: String) { self.init(rawValue: value) }
    public var description: String { rawValue }

    public static func == (left: Self, right: Self) -> Bool {
        // Texts of other bytes may be equal, but not the other way round.
        left.rawValue == right.rawValue && left.rawValue.utf8.elementsEqual(right.rawValue.utf8)
    }
    public static func != (left: Self, right: Self) -> Bool { !(left == right) }
    public static func < (left: Self, right: Self) -> Bool {
        left.rawValue.utf8.lexicographicallyPrecedes(right.rawValue.utf8)
    }
}

/// A paying customer (an account); the party that a quota belongs to.
public struct CustomerID: StringKey {
    public var rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
}

/// What an event names: an API key, a user, a device. Belongs to exactly one customer.
public struct SubjectID: StringKey {
    public var rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
}

/// The name of a meter in the catalog.
public struct MeterKey: StringKey {
    public var rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
}

/// The name of a feature in the catalog.
public struct FeatureKey: StringKey {
    public var rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
}

/// The name of a plan in the catalog.
public struct PlanKey: StringKey {
    public var rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
}

/// The name of a product in the catalog.
public struct ProductKey: StringKey {
    /// The product of plans and add-ons that name none.
    public static let `default`: ProductKey = "default"
    public var rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
}

/// The name of an add-on in the catalog.
public struct AddOnKey: StringKey {
    public var rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
}
