import Entitlements
import Yams

/// Reads values from nodes and notes what is wrong with them. Works on the text of scalars, so
/// that YAML's own ideas about `no`, dates and numbers play no part.
struct NodeReader {
    /// The members of a mapping, in the order of the text.
    struct Members {
        let node: Node
        let entries: [(name: String, key: Node, value: Node)]

        subscript(name: String) -> Node? { entries.first { $0.name == name }?.value }
    }

    var problems = ProblemList()

    mutating func report(_ node: Node, _ message: String) {
        problems.add(node.mark.map { Place($0) }, message)
    }

    /// - Parameters:
    ///   - what: the thing that the mapping describes, e.g. `a meter`.
    ///   - known: the names it may have; nil when names are free.
    mutating func members(of node: Node, _ what: String, known: [String]?) -> Members? {
        guard case .mapping(let mapping) = node else {
            report(node, "expected a mapping for \(what), found \(Self.describe(node))")
            return nil
        }
        var entries: [(name: String, key: Node, value: Node)] = []
        entries.reserveCapacity(mapping.count)
        var names: Set<String> = []
        for (key, value) in mapping {
            guard let name = key.scalar?.string else {
                report(key, "expected a name, found \(Self.describe(key))")
                continue
            }
            if !names.insert(name).inserted {
                report(key, "the key \"\(name)\" is there twice")
                continue
            }
            if let known, !known.contains(name) {
                let hint = NearestKey.hint(for: name, in: known)
                let rest = hint.isEmpty ? "; it has \(known.joined(separator: ", "))" : hint
                report(key, "\(what) has no \"\(name)\"\(rest)")
                continue
            }
            entries.append((name, key, value))
        }
        return Members(node: node, entries: entries)
    }

    /// The value of a member that must be there.
    mutating func required(_ name: String, in members: Members, _ what: String) -> Node? {
        if let node = members[name] { return node }
        // A key that was refused is reported already; the missing one still helps to see why.
        report(members.node, "\(what) needs \"\(name)\"")
        return nil
    }

    /// The items of a list; a list with nothing in it may be left empty.
    mutating func items(of node: Node, _ what: String) -> [Node] {
        if case .sequence(let sequence) = node { return Array(sequence) }
        if !Self.isNull(node) {
            report(node, "expected a list of \(what), found \(Self.describe(node))")
        }
        return []
    }

    mutating func text(_ node: Node, _ what: String) -> String? {
        guard let scalar = node.scalar else {
            report(node, "expected text for \(what), found \(Self.describe(node))")
            return nil
        }
        if Self.isNull(node) {
            report(node, "\(what) is empty")
            return nil
        }
        return scalar.string
    }

    mutating func bool(_ node: Node, _ what: String) -> Bool? {
        if let scalar = node.scalar, scalar.style == .plain {
            switch scalar.string {
            case "true", "True", "TRUE": return true
            case "false", "False", "FALSE": return false
            default: break
            }
        }
        report(node, "expected true or false for \(what), found \(Self.describe(node))")
        return nil
    }

    mutating func integer(_ node: Node, _ what: String) -> Int? {
        if let string = node.scalar?.string, let value = Int(string) { return value }
        report(node, "expected a whole number for \(what), found \(Self.describe(node))")
        return nil
    }

    /// One of the words of an enumeration.
    mutating func choice<Choice: CaseIterable & RawRepresentable>(
        _ node: Node, _ what: String, _: Choice.Type
    ) -> Choice? where Choice.RawValue == String {
        if let word = node.scalar?.string, let choice = Choice(rawValue: word) { return choice }
        let words = Choice.allCases.map(\.rawValue)
        report(
            node,
            "\(what) is one of \(words.joined(separator: ", ")); found \(Self.describe(node))")
        return nil
    }

    static func isNull(_ node: Node) -> Bool {
        guard let scalar = node.scalar, scalar.style == .plain else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }

    /// What a node is, for messages.
    static func describe(_ node: Node) -> String {
        switch node {
        case .mapping: return "a mapping"
        case .sequence: return "a list"
        case .alias: return "an alias"
        case .scalar(let scalar):
            if isNull(node) { return "nothing" }
            let text = scalar.string
            return text.count <= 40 ? "\"\(text)\"" : "\"\(text.prefix(40))…\""
        }
    }
}
