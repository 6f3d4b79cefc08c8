import MeteringModel
import Yams

extension NodeReader {
    /// A number of a meter's units: `1000`, `1_000`, `"12.5"`.
    /// - Parameter scale: decimal places that the meter keeps.
    mutating func quantity(_ node: Node, _ what: String, scale: Int) -> Int64? {
        guard let text = text(node, what) else { return nil }
        return quantity(text, at: node, what, scale: scale)
    }

    mutating func limit(_ node: Node, scale: Int) -> Limit? {
        guard let text = text(node, "limit") else { return nil }
        if text == "unlimited" { return .unlimited }
        if text == "-1" {
            report(node, "-1 does not mean that there is no limit; write limit: unlimited")
            return nil
        }
        guard let units = quantity(text, at: node, "limit", scale: scale) else { return nil }
        if units < 0 {
            report(node, "a limit must not be negative; no limit is written limit: unlimited")
            return nil
        }
        return .finite(units)
    }

    /// `80%`, `99.5%`, or a number of units.
    mutating func threshold(_ node: Node, scale: Int) -> Threshold? {
        guard let text = text(node, "a threshold") else { return nil }
        guard text.hasSuffix("%") else {
            return quantity(text, at: node, "a threshold", scale: scale).map { .absolute($0) }
        }
        let number = String(text.dropLast())
        if let value = try? DecimalQuantity(number).units(scale: 2) {
            return .share(basisPoints: value)
        }
        report(node, "\"\(text)\" is not a percentage of at most two decimal places, e.g. 80%")
        return nil
    }

    mutating func outagePolicy(_ node: Node, scale: Int) -> OutagePolicy? {
        if let word = node.scalar?.string {
            switch word {
            case "closed": return .closed
            case "open": return .open
            default: break
            }
        } else if case .mapping(let mapping) = node, mapping.count == 1,
            let members = members(of: node, "on_outage", known: ["last_known", "allowance"])
        {
            if let age = members["last_known"] {
                return seconds(age, "last_known").map { .lastKnown(maxAgeSeconds: $0) }
            }
            if let amount = members["allowance"] {
                return quantity(amount, "allowance", scale: scale).map { .allowance($0) }
            }
            return nil
        }
        report(
            node,
            "on_outage is closed, open, {last_known: 30s} or {allowance: 100}; found "
                + Self.describe(node))
        return nil
    }

    /// A length of time with its unit: `30s`, `5m`, `1h`.
    private mutating func seconds(_ node: Node, _ what: String) -> Int64? {
        if let text = node.scalar?.string, let unit = text.last,
            let factor = ["s": Int64(1), "m": 60, "h": 3_600][String(unit)],
            let number = Int64(text.dropLast()), (0...1_000_000_000).contains(number)
        {
            return number * factor
        }
        report(
            node, "expected a length of time for \(what), e.g. 30s; found \(Self.describe(node))")
        return nil
    }

    private mutating func quantity(
        _ text: String, at node: Node, _ what: String, scale: Int
    ) -> Int64? {
        do {
            return try DecimalQuantity(try Self.digits(of: text)).units(scale: scale)
        } catch {
            switch error {
            case .overflow: report(node, "\(text) is too large for \(what)")
            case .tooPrecise:
                report(
                    node,
                    scale == 0
                        ? "\(text) has decimal places, but the meter counts whole units"
                        : "\(text) has more decimal places than the meter's scale, \(scale)")
            case .notANumber:
                report(node, "expected a number for \(what), found \(Self.describe(node))")
            }
            return nil
        }
    }

    /// Without the underscores that group digits. A leading zero is refused: it means octal to
    /// some readers and nothing to others.
    private static func digits(of text: String) throws(DecimalQuantity.Failure) -> String {
        let bytes = Array(text.utf8)
        let isDigit = bytes.map { (0x30...0x39).contains($0) }
        var digits: [UInt8] = []
        for (index, byte) in bytes.enumerated() {
            if byte != 0x5F {
                digits.append(byte)
                continue
            }
            guard index > 0, index + 1 < bytes.count, isDigit[index - 1], isDigit[index + 1] else {
                throw .notANumber
            }
        }
        let unsigned = digits.first == 0x2D ? digits.dropFirst() : digits[...]
        if unsigned.first == 0x30, let second = unsigned.dropFirst().first,
            (0x30...0x39).contains(second)
        {
            throw .notANumber
        }
        return String(decoding: digits, as: UTF8.self)
    }
}
