package import MeteringModel

extension RecordCodec {
    /// Units of a meter: a number where it counts whole units, else a decimal text.
    package static func quantity(_ units: Int64, scale: Int) -> JSONValue {
        scale == 0
            ? .integer(units) : .string(DecimalQuantity.text(units: units, scale: scale))
    }

    package static func limit(_ limit: Limit, scale: Int) -> JSONValue {
        limit.finite.map { quantity($0, scale: scale) } ?? .string("unlimited")
    }

    static func threshold(_ threshold: Threshold, scale: Int) -> JSONValue {
        switch threshold {
        case .share: .string(threshold.label)
        case .absolute(let units): quantity(units, scale: scale)
        }
    }

    static func outagePolicy(_ policy: OutagePolicy, scale: Int) -> JSONValue {
        switch policy {
        case .closed: .string("closed")
        case .open: .string("open")
        case .lastKnown(let seconds): .object(["last_known": .string("\(seconds)s")])
        case .allowance(let units): .object(["allowance": quantity(units, scale: scale)])
        }
    }

    static func grace(_ grace: Grace, scale: Int) -> JSONValue {
        .members([
            "units": grace.units.map { quantity($0, scale: scale) },
            "days": grace.days.map { .integer($0) },
        ])
    }

    /// RFC 3339 UTC in whole seconds.
    package static func time(_ instant: Timestamp?) -> JSONValue? {
        instant.map { .string($0.rfc3339(fractionDigits: 0)) }
    }

    static func text(_ text: String?) -> JSONValue? { text.map(JSONValue.string) }

    /// The word of an enumeration, unless it is the usual one.
    static func word<Choice: RawRepresentable<String> & Equatable>(
        _ choice: Choice, usual: Choice
    ) -> JSONValue? {
        choice == usual ? nil : .string(choice.rawValue)
    }

    static func list(_ elements: [JSONValue]) -> JSONValue? {
        elements.isEmpty ? nil : .array(elements)
    }

    static func map(_ texts: [String: String]) -> JSONValue? {
        texts.isEmpty ? nil : .object(texts.mapValues(JSONValue.string))
    }
}
