import Entitlements
import MeteringModel
import MeteringPorts

/// Takes the members of an order apart; every problem names its member.
struct PayloadReader {
    let members: [String: JSONValue]

    /// Longest text that names something.
    static let nameBytesMax = 256
    /// Most features, and most limits, in one order.
    static let itemsMax = 1_000

    func refuseUnknown(_ known: [String]) throws(ControlProblem) {
        for name in members.keys.sorted() where !known.contains(name) {
            throw ControlProblem(
                .unprocessable, "unknown_member",
                "\"\(name)\" is no member of a provisioning payload"
                    + NearestKey.hint(for: name, in: known),
                field: name)
        }
    }

    /// The text under one of several names for the same thing; nil when there is none.
    func text(oneOf names: [String]) throws(ControlProblem) -> String? {
        var found: (name: String, text: String)?
        for name in names {
            guard let value = members[name], !value.isNull else { continue }
            guard let text = value.text, !text.isEmpty, text.utf8.count <= Self.nameBytesMax else {
                throw wrong(name, "a text of 1 to \(Self.nameBytesMax) bytes")
            }
            if let found, found.text != text {
                throw ControlProblem(
                    .unprocessable, "contradiction",
                    "\(found.name) and \(name) mean the same thing, but differ", field: name)
            }
            found = found ?? (name, text)
        }
        return found?.text
    }

    func time(oneOf names: [String]) throws(ControlProblem) -> PayloadTime? {
        guard let text = try text(oneOf: names),
            let name = names.first(where: { members[$0]?.text != nil })
        else { return nil }
        guard let time = PayloadTime(text, field: name) else {
            throw ControlProblem(
                .unprocessable, "invalid_time",
                "\(name) is \"\(text)\"; write 2027-01-31, 2027-01-31T17:00:00 or "
                    + "2027-01-31T17:00:00Z",
                field: name)
        }
        return time
    }

    func license() throws(ControlProblem) -> VendorPayload.LicenseType? {
        guard let text = try text(oneOf: ["license_type"]) else { return nil }
        guard let license = VendorPayload.LicenseType(rawValue: text) else {
            let known = VendorPayload.LicenseType.allCases.map(\.rawValue)
            throw ControlProblem(
                .unprocessable, "unknown_license_type",
                "license_type is \"\(text)\"; known are \(known.joined(separator: ", "))"
                    + NearestKey.hint(for: text, in: known),
                field: "license_type")
        }
        return license
    }

    func features() throws(ControlProblem) -> [FeatureKey]? {
        guard let value = members["features"], !value.isNull else { return nil }
        guard let elements = value.elements, elements.count <= Self.itemsMax else {
            throw wrong("features", "a list of at most \(Self.itemsMax) feature keys")
        }
        var features: [FeatureKey] = []
        for (index, element) in elements.enumerated() {
            guard let text = element.text, !text.isEmpty else {
                throw wrong("features[\(index)]", "a feature key")
            }
            features.append(FeatureKey(text))
        }
        return features
    }

    func limits() throws(ControlProblem) -> [VendorPayload.NamedLimit]? {
        guard let value = members["limits"], !value.isNull else { return nil }
        guard let object = value.object, object.count <= Self.itemsMax else {
            throw wrong("limits", "an object of at most \(Self.itemsMax) limits by name")
        }
        var limits: [VendorPayload.NamedLimit] = []
        for (name, value) in object.sorted(by: { $0.key < $1.key }) {
            let field = "limits.\(name)"
            guard let limit = try Self.limit(value, at: field) else {
                throw wrong(field, Self.form)
            }
            limits.append(.init(name: name, limit: limit, field: field))
        }
        return limits
    }

    func limit(_ name: String, at field: String) throws(ControlProblem) -> Limit? {
        guard let value = members[name] else { return nil }
        return try Self.limit(value, at: field)
    }

    private static let form = "a whole number of 0 or more, or -1 for unlimited"

    /// Nil for null.
    private static func limit(
        _ value: JSONValue, at field: String
    ) throws(ControlProblem) -> Limit? {
        if value.isNull { return nil }
        if value.text == "unlimited" { return .unlimited }
        guard let number = value.integer, number >= -1 else {
            throw ControlProblem(
                .unprocessable, "invalid_limit",
                "\(field) is \(value.canonicalText); it must be \(form)", field: field)
        }
        return number == -1 ? .unlimited : .finite(number)
    }

    private func wrong(_ field: String, _ form: String) -> ControlProblem {
        ControlProblem(
            .unprocessable, "invalid_member", "\(field) must be \(form)", field: field)
    }
}
