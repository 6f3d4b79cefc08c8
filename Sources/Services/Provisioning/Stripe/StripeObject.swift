import MeteringModel
import MeteringPorts

/// Reads members of one of Stripe's objects; members that are not asked for do not matter.
struct StripeObject {
    let value: JSONValue
    /// Where it is in the event, for problems.
    let field: String

    init(_ value: JSONValue, field: String) {
        self.value = value
        self.field = field
    }

    func path(_ name: String) -> String { field.isEmpty ? name : "\(field).\(name)" }

    private func wrong(_ name: String, _ form: String) -> ControlProblem {
        ControlProblem(
            .unprocessable, "invalid_event", "\(path(name)) of the event is not \(form)",
            field: path(name))
    }

    private func member(_ name: String) -> JSONValue? {
        guard let member = value[name], !member.isNull else { return nil }
        return member
    }

    func optionalObject(_ name: String) -> StripeObject? {
        guard let member = member(name), member.object != nil else { return nil }
        return StripeObject(member, field: path(name))
    }

    func object(_ name: String) throws(ControlProblem) -> StripeObject {
        guard let object = optionalObject(name) else { throw wrong(name, "an object") }
        return object
    }

    func optionalText(_ name: String) throws(ControlProblem) -> String? {
        guard let member = member(name) else { return nil }
        guard let text = member.text else { throw wrong(name, "text") }
        return text.isEmpty ? nil : text
    }

    func text(_ name: String) throws(ControlProblem) -> String {
        guard let text = try optionalText(name) else { throw wrong(name, "text") }
        return text
    }

    func integer(_ name: String) throws(ControlProblem) -> Int64? {
        guard let member = member(name) else { return nil }
        guard let number = member.integer else { throw wrong(name, "a whole number") }
        return number
    }

    /// Seconds since 1970, within the calendar.
    func optionalTime(_ name: String) throws(ControlProblem) -> Timestamp? {
        guard let seconds = try integer(name) else { return nil }
        guard seconds >= 0, seconds < Timestamp.distantFuture.seconds else {
            throw wrong(name, "a time in seconds since 1970")
        }
        return Timestamp(seconds: seconds)
    }

    func time(_ name: String) throws(ControlProblem) -> Timestamp {
        guard let time = try optionalTime(name) else {
            throw wrong(name, "a time in seconds since 1970")
        }
        return time
    }

    func flag(_ name: String) -> Bool { value[name]?.flag ?? false }

    /// The id of another object, which may stand there expanded.
    func reference(_ name: String) throws(ControlProblem) -> String? {
        if let object = optionalObject(name) { return try object.text("id") }
        return try optionalText(name)
    }

    /// An object of texts; other values in it are left out.
    func texts(_ name: String) -> [String: String] {
        value[name]?.object?.compactMapValues(\.text) ?? [:]
    }

    /// The elements of a list object, `{"data": […]}`.
    var elements: [StripeObject] {
        (value["data"]?.elements ?? []).enumerated().map {
            StripeObject($0.element, field: path("data[\($0.offset)]"))
        }
    }
}
