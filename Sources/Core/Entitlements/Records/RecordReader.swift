import MeteringModel

/// Reads values from a document and notes what is wrong with them, all of it: a member that cannot
/// be read does not keep the others from being read.
struct RecordReader {
    /// More problems than this are counted, not kept.
    static let problemsMax = 200

    var context: CodecContext
    private(set) var problems: [FieldProblem] = []
    private(set) var omittedCount = 0
    /// Where the reader is. Names of members are added to it where a problem is reported, so that
    /// reading what is right costs no path.
    private var path: [String] = []

    init(_ context: CodecContext, path: [String] = []) {
        self.context = context
        self.path = path
    }

    /// The members of an object. What nobody takes is unknown.
    struct Members {
        let values: [String: JSONValue]
        /// What the object describes, for messages: `a meter`.
        let what: String
        fileprivate var takenCount = 0

        /// Whether the member is there and not null.
        func has(_ name: String) -> Bool {
            guard let value = values[name] else { return false }
            if case .null = value { return false }
            return true
        }

        /// A member, once; nil where it is missing or null.
        mutating func take(_ name: String) -> JSONValue? {
            guard let value = values[name] else { return nil }
            takenCount += 1
            if case .null = value { return nil }
            return value
        }
    }

    // MARK: problems

    /// - Parameter name: the member of the object that is being read; nil for what `path` names.
    mutating func report(_ name: String?, _ code: FieldProblem.Code, _ message: String) {
        guard problems.count < Self.problemsMax else {
            omittedCount += 1
            return
        }
        let place = name.map { path + [$0] } ?? path
        problems.append(FieldProblem(path: place, code: code, message: message))
    }

    /// The problem to show where only one is: a mistyped name explains a missing member.
    var problem: FieldProblem? { problems.first { $0.code == .unknownMember } ?? problems.first }

    /// Reads a part of the document with its name on the path.
    mutating func within<Result>(
        _ name: String, _ body: (inout RecordReader) -> Result
    ) -> Result {
        path.append(name)
        defer { path.removeLast() }
        return body(&self)
    }

    // MARK: objects and lists

    /// - Parameter name: as in `report`.
    mutating func open(
        _ value: JSONValue, _ what: @autoclosure () -> String, at name: String? = nil
    ) -> Members? {
        if case .object(let values) = value { return Members(values: values, what: what()) }
        report(name, .invalidType, "expected \(word) for \(what()), found \(describe(value))")
        return nil
    }

    /// Reports the members that were not taken. Null says that a member is not there, which is no
    /// mistake in a patch even where there is no such member.
    mutating func close(_ members: Members, known: @autoclosure () -> [String]) {
        if members.takenCount == members.values.count { return }
        let known = known()
        for name in members.values.keys.sorted()
        where !known.contains(name) && (members.has(name) || context.format == .yaml) {
            let hint = NearestKey.hint(for: name, in: known)
            let rest = hint.isEmpty ? "; it has \(known.joined(separator: ", "))" : hint
            report(name, .unknownMember, "\(members.what) has no \"\(name)\"\(rest)")
        }
    }

    /// A member that must be there.
    mutating func required(_ name: String, in members: inout Members) -> JSONValue? {
        if let value = members.take(name) { return value }
        if members.values[name] == nil {
            report(nil, .missing, "\(members.what) needs \"\(name)\"")
        } else {
            report(name, .missing, "\(name) is empty")
        }
        return nil
    }

    /// Reads a list, each element with its position on the path.
    mutating func list<Element>(
        _ name: String, in members: inout Members,
        _ body: (inout RecordReader, JSONValue) -> Element?
    ) -> [Element] {
        guard let value = members.take(name) else { return [] }
        guard case .array(let values) = value else {
            report(name, .invalidType, "expected a list of \(name), found \(describe(value))")
            return []
        }
        var elements: [Element] = []
        elements.reserveCapacity(values.count)
        path.append(name)
        for (index, value) in values.enumerated() {
            path.append(String(index))
            if let element = body(&self, value) { elements.append(element) }
            path.removeLast()
        }
        path.removeLast()
        return elements
    }

    /// Reads an object of free names, each with its name on the path, in the order of the names.
    mutating func entries(
        _ name: String, in members: inout Members,
        _ body: (inout RecordReader, String, JSONValue) -> Void
    ) {
        guard let value = members.take(name), let entries = open(value, name, at: name) else {
            return
        }
        path.append(name)
        for key in entries.values.keys.sorted() {
            guard let value = entries.values[key], !value.isNull else { continue }
            path.append(key)
            body(&self, key, value)
            path.removeLast()
        }
        path.removeLast()
    }

    // MARK: words for messages

    private var word: String { context.format == .yaml ? "a mapping" : "an object" }

    func describe(_ value: JSONValue) -> String {
        switch value {
        case .null: return "nothing"
        case .bool(let flag): return context.format == .yaml ? "\"\(flag)\"" : String(flag)
        case .number(let digits): return digits
        case .object: return word
        case .array: return "a list"
        case .string(let text):
            return text.count <= 40 ? "\"\(text)\"" : "\"\(text.prefix(40))…\""
        }
    }
}
