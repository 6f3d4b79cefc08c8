import MeteringModel
import Yams

/// Turns nodes into the values that records are read from. The text of a scalar counts: only what
/// is plainly `true`, `false` or nothing is more than a text, so that YAML's own ideas about `no`,
/// dates and numbers play no part.
struct NodeConverter {
    /// No record is nested deeper.
    private static let depthMax = 32

    private(set) var problems = ProblemList()

    mutating func value(of node: Node, depth: Int = 0) -> JSONValue {
        if depth > Self.depthMax {
            problems.add(node.mark.map { Place($0) }, "nested deeper than \(Self.depthMax) levels")
            return .null
        }
        switch node {
        case .scalar(let scalar): return Self.value(of: scalar)
        case .sequence(let items):
            return .array(items.map { value(of: $0, depth: depth + 1) })
        case .mapping(let mapping): return object(of: mapping, depth: depth)
        case .alias:
            problems.add(node.mark.map { Place($0) }, "aliases are not used in a catalog")
            return .null
        }
    }

    private mutating func object(of mapping: Node.Mapping, depth: Int) -> JSONValue {
        var members: [String: JSONValue] = [:]
        members.reserveCapacity(mapping.count)
        for (key, node) in mapping {
            guard let name = key.scalar?.string else {
                let found = key.sequence == nil ? "a mapping" : "a list"
                problems.add(key.mark.map { Place($0) }, "expected a name, found \(found)")
                continue
            }
            let value = value(of: node, depth: depth + 1)
            if members.updateValue(value, forKey: name) != nil {
                problems.add(key.mark.map { Place($0) }, "the key \"\(name)\" is there twice")
            }
        }
        return .object(members)
    }

    private static func value(of scalar: Node.Scalar) -> JSONValue {
        guard scalar.style == .plain else { return .string(scalar.string) }
        switch scalar.string {
        case "", "~", "null", "Null", "NULL": return .null
        case "true": return .bool(true)
        case "false": return .bool(false)
        default: return .string(scalar.string)
        }
    }
}
