import MeteringModel

extension RecordReader {
    /// Bytes of an id.
    static let idBytesMax = 256
    /// Bytes of a name of metadata or of another system.
    static let nameBytesMax = 128

    // MARK: texts

    /// - Parameter name: the member it is; nil where the path names it.
    mutating func text(_ value: JSONValue, _ what: String, at name: String?) -> String? {
        switch value {
        case .string(let text): return text
        case .bool(let flag) where context.format == .yaml: return String(flag)
        default:
            report(name, .invalidType, "expected text for \(what), found \(describe(value))")
            return nil
        }
    }

    mutating func text(_ name: String, in members: inout Members) -> String? {
        guard let value = members.take(name) else { return nil }
        return text(value, name, at: name)
    }

    mutating func requiredText(_ name: String, in members: inout Members) -> String? {
        guard let value = required(name, in: &members) else { return nil }
        return text(value, name, at: name)
    }

    /// The text that says why something was done; it must say something.
    mutating func reason(in members: inout Members) -> String {
        let text = requiredText("reason", in: &members)
        if let text, text.isEmpty { report("reason", .missing, "reason is empty") }
        return text ?? ""
    }

    /// A name that people and other systems give to a record.
    mutating func id(_ name: String, in members: inout Members) -> String? {
        guard let text = text(name, in: &members) else { return nil }
        if let problem = RecordCodec.problem(ofID: text) {
            report(name, .invalidID, "\(name) \(problem)")
        }
        return text
    }

    mutating func texts(_ name: String, in members: inout Members) -> [String] {
        list(name, in: &members) { reader, value in
            reader.text(value, "one of \(name)", at: nil)
        }
    }

    mutating func textMap(_ name: String, in members: inout Members) -> [String: String] {
        var map: [String: String] = [:]
        entries(name, in: &members) { reader, key, value in
            map[key] = reader.text(value, "\"\(key)\"", at: nil)
            if key.isEmpty || key.utf8.count > Self.nameBytesMax {
                reader.report(
                    nil, .invalidName, "a name has 1 to \(Self.nameBytesMax) bytes")
            }
        }
        return map
    }

    // MARK: truth, words, whole numbers

    mutating func flag(
        _ value: JSONValue, _ what: @autoclosure () -> String, at name: String?
    ) -> Bool? {
        if case .bool(let flag) = value { return flag }
        if context.format == .yaml, case .string(let text) = value {
            // Other spellings of YAML's own two words. `yes` and `no` are texts.
            if text == "True" || text == "TRUE" { return true }
            if text == "False" || text == "FALSE" { return false }
        }
        report(
            name, .invalidType, "expected true or false for \(what()), found \(describe(value))")
        return nil
    }

    mutating func flag(_ name: String, in members: inout Members, default usual: Bool) -> Bool {
        guard let value = members.take(name) else { return usual }
        return flag(value, name, at: name) ?? usual
    }

    /// One of the words of an enumeration.
    mutating func choice<Choice: CaseIterable & RawRepresentable>(
        _ value: JSONValue, _: Choice.Type, _ what: String, at name: String?
    ) -> Choice? where Choice.RawValue == String {
        if case .string(let word) = value, let choice = Choice(rawValue: word) { return choice }
        let words = Choice.allCases.map(\.rawValue)
        let hint = value.text.map { NearestKey.hint(for: $0, in: words) } ?? ""
        report(
            name, .invalidValue,
            "\(what) is one of \(words.joined(separator: ", ")); found \(describe(value))\(hint)")
        return nil
    }

    mutating func choice<Choice: CaseIterable & RawRepresentable>(
        _ name: String, in members: inout Members, default usual: Choice
    ) -> Choice where Choice.RawValue == String {
        guard let value = members.take(name) else { return usual }
        return choice(value, Choice.self, name, at: name) ?? usual
    }

    mutating func integer(
        _ name: String, in members: inout Members, _ range: ClosedRange<Int>, default usual: Int
    ) -> Int {
        guard let value = members.take(name) else { return usual }
        guard let digits = value.digits, let number = Int(digits) else {
            report(
                name, .invalidType,
                "expected a whole number for \(name), found \(describe(value))")
            return usual
        }
        if range.contains(number) { return number }
        if number < range.lowerBound, range.lowerBound == 0 {
            report(name, .negative, "\(name) must not be negative")
        } else {
            report(
                name, .invalidValue,
                "\(name) must be \(range.lowerBound) to \(range.upperBound), found \(number)")
        }
        return usual
    }
}
