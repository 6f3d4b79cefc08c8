import MeteringModel

extension RecordReader {
    /// An amount in a meter's units: `1000`, `"12.5"`, `1_000`.
    /// - Parameter scale: decimal places that the meter keeps.
    mutating func quantity(
        _ value: JSONValue, _ what: String, scale: Int, at name: String?
    ) -> Int64? {
        guard let text = value.digits else {
            report(name, .invalidType, "expected a number for \(what), found \(describe(value))")
            return nil
        }
        do {
            return try DecimalQuantity(try Self.digits(of: text)).units(scale: scale)
        } catch {
            switch error {
            case .overflow: report(name, .tooLarge, "\(text) is too large for \(what)")
            case .tooPrecise:
                report(
                    name, .tooPrecise,
                    scale == 0
                        ? "\(text) has decimal places, but the meter counts whole units"
                        : "\(text) has more decimal places than the meter's scale, \(scale)")
            case .notANumber:
                report(
                    name, .invalidType, "expected a number for \(what), found \(describe(value))")
            }
            return nil
        }
    }

    /// An amount that is not below zero.
    mutating func amount(_ name: String, in members: inout Members, scale: Int) -> Int64? {
        guard let value = members.take(name) else { return nil }
        return amount(value, name, scale: scale, at: name)
    }

    mutating func amount(
        _ value: JSONValue, _ what: String, scale: Int, at name: String?
    ) -> Int64? {
        guard let units = quantity(value, what, scale: scale, at: name) else { return nil }
        if units < 0 { report(name, .negative, "\(what) must not be negative") }
        return units
    }

    /// A number of units, or `unlimited`.
    mutating func limit(_ value: JSONValue, _ what: String, scale: Int, at name: String?) -> Limit?
    {
        if case .string("unlimited") = value { return .unlimited }
        if value.digits == "-1" {
            report(
                name, .negativeLimit,
                "-1 does not mean that there is no limit; write \(what): unlimited")
            return nil
        }
        guard let units = quantity(value, what, scale: scale, at: name) else { return nil }
        if units < 0 {
            report(
                name, .negativeLimit,
                "a limit must not be negative; no limit is written \(what): unlimited")
            return nil
        }
        return .finite(units)
    }

    /// `80%`, `99.5%`, or a number of units.
    mutating func threshold(_ value: JSONValue, scale: Int) -> Threshold? {
        guard case .string(let text) = value, text.utf8.last == UInt8(ascii: "%") else {
            return amount(value, "a threshold", scale: scale, at: nil).map { .absolute($0) }
        }
        if let points = try? DecimalQuantity(String(text.dropLast())).units(scale: 2) {
            if points < 0 { report(nil, .negative, "a threshold must not be negative") }
            return .share(basisPoints: points)
        }
        report(
            nil, .invalidValue,
            "\"\(text)\" is not a percentage of at most two decimal places, e.g. 80%")
        return nil
    }

    /// `closed`, `open`, `{last_known: 30s}`, `{allowance: 100}`.
    mutating func outagePolicy(_ value: JSONValue, scale: Int, at name: String) -> OutagePolicy? {
        switch value {
        case .string("closed"): return .closed
        case .string("open"): return .open
        case .object(let values) where values.count(where: { !$0.value.isNull }) == 1:
            guard var members = open(value, name, at: name) else { return nil }
            return within(name) { reader in
                let age = members.take("last_known")
                let allowance = members.take("allowance")
                reader.close(members, known: ["last_known", "allowance"])
                if let age {
                    return reader.seconds(age, "last_known", at: "last_known")
                        .map { .lastKnown(maxAgeSeconds: $0) }
                }
                return allowance.flatMap {
                    reader.amount($0, "allowance", scale: scale, at: "allowance")
                }.map { .allowance($0) }
            }
        default:
            report(
                name, .invalidValue,
                "on_outage is closed, open, {last_known: 30s} or {allowance: 100}; found "
                    + describe(value))
            return nil
        }
    }

    /// A length of time with its unit: `30s`, `5m`, `1h`.
    /// - Parameter takesBareNumber: whether a number without a unit means seconds.
    mutating func seconds(
        _ value: JSONValue, _ what: String, at name: String?, takesBareNumber: Bool = false
    ) -> Int64? {
        let most: Int64 = 1_000_000_000
        if let text = value.digits {
            if takesBareNumber, let number = Int64(text), (0...most).contains(number) {
                return number
            }
            if let unit = text.last, let factor = ["s": Int64(1), "m": 60, "h": 3_600][unit],
                let number = Int64(text.dropLast()), (0...most).contains(number)
            {
                return number * factor
            }
        }
        report(
            name, .invalidValue,
            "expected a length of time for \(what), e.g. 30s; found \(describe(value))")
        return nil
    }

    /// Without the underscores that group digits. A leading zero is refused: it means octal to
    /// some readers and nothing to others.
    static func digits(of text: String) throws(DecimalQuantity.Failure) -> String {
        func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
        let bytes = Array(text.utf8)
        var digits: [UInt8] = []
        for (index, byte) in bytes.enumerated() {
            if byte != UInt8(ascii: "_") {
                digits.append(byte)
                continue
            }
            guard index > 0, index + 1 < bytes.count, isDigit(bytes[index - 1]),
                isDigit(bytes[index + 1])
            else { throw .notANumber }
        }
        let unsigned = digits.first == UInt8(ascii: "-") ? digits.dropFirst() : digits[...]
        if unsigned.first == UInt8(ascii: "0"), let second = unsigned.dropFirst().first,
            isDigit(second)
        {
            throw .notANumber
        }
        return String(decoding: digits, as: UTF8.self)
    }
}
