import MeteringPorts
import Yams

/// From text to nodes, within bounds that hold for hostile text too.
enum YAMLSyntax {
    /// A catalog of half a million customers is smaller.
    static let documentBytesMax = 64 << 20

    /// The root of the only document in `yaml`.
    ///
    /// Bounded in three ways: the size here; the depth by libyaml (1,000 levels); and aliases are
    /// refused, because a few nested ones stand for more nodes than any memory holds.
    static func compose(_ yaml: String) throws(CatalogProblems) -> Node {
        guard yaml.utf8.count <= documentBytesMax else {
            throw problem(nil, "a catalog must not be larger than \(documentBytesMax >> 20) MiB")
        }
        if let alias = alias(in: yaml) {
            throw problem(
                alias.place, "aliases (*\(alias.name)) are not used in a catalog; write it out")
        }
        let root: Node?
        do {
            // Without rules for implicit types: `no`, dates and numbers stay the text they are.
            root = try Yams.compose(yaml: yaml, .basic)
        } catch let error as YamlError {
            throw problem(of: error)
        } catch {
            throw problem(nil, "the text cannot be read as YAML")
        }
        guard let root, root.scalar.map({ !$0.string.isEmpty }) ?? true else {
            throw problem(nil, "the document is empty; an empty catalog is written `meters: []`")
        }
        return root
    }

    private static func problem(_ place: Place?, _ message: String) -> CatalogProblems {
        var list = ProblemList()
        list.add(place, message)
        return list.error ?? CatalogProblems([])
    }

    private static func problem(of error: YamlError) -> CatalogProblems {
        switch error {
        case .scanner(let context, let text, let mark, _),
            .parser(let context, let text, let mark, _),
            .composer(let context, let text, let mark, _):
            let around = context.map { " (\($0.text) that begins in line \($0.mark.line))" } ?? ""
            return problem(Place(mark), "not valid YAML: \(text)\(around)")
        case .duplicatedKeysInMapping(let names, let context):
            let name = names.first ?? ""
            return problem(
                Place(context.mark), "the key \"\(name)\" is there twice; this is the first of them"
            )
        case .reader(let text, let offset, _, let yaml):
            return problem(place(at: offset ?? 0, in: yaml), "not valid YAML: \(text)")
        case .memory: return problem(nil, "there is not enough memory to read the document")
        case .no, .writer, .emitter, .representer, .dataCouldNotBeDecoded:
            return problem(nil, "the text cannot be read as YAML")
        }
    }

    /// Line and column of the byte at `offset`.
    private static func place(at offset: Int, in yaml: String) -> Place {
        var line = 1
        var column = 1
        for byte in yaml.utf8.prefix(max(offset, 0)) {
            if byte == 0x0A {
                line += 1
                column = 1
            } else if byte & 0xC0 != 0x80 {
                column += 1
            }
        }
        return Place(line: line, column: column)
    }

    /// The first `*name` for which there is an `&name`. Looks at bytes, not at tokens, so that no
    /// quoting hides an alias; a false alarm needs both forms of one name in the text.
    private static func alias(in yaml: String) -> (name: String, place: Place)? {
        let anchors = Set(names(after: 0x26, in: yaml).map(\.name))
        if anchors.isEmpty { return nil }
        for (name, offset) in names(after: 0x2A, in: yaml) where anchors.contains(name) {
            return (name, place(at: offset, in: yaml))
        }
        return nil
    }

    /// The names that follow a mark, with the position of the mark.
    private static func names(after mark: UInt8, in yaml: String) -> [(name: String, offset: Int)] {
        var found: [(name: String, offset: Int)] = []
        var name: [UInt8] = []
        var start: Int?
        for (offset, byte) in yaml.utf8.enumerated() {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x5F:
                if start != nil { name.append(byte) }
                continue
            default: break
            }
            if let start, !name.isEmpty {
                found.append((String(decoding: name, as: UTF8.self), start))
            }
            name = []
            start = byte == mark ? offset : nil
        }
        if let start, !name.isEmpty { found.append((String(decoding: name, as: UTF8.self), start)) }
        return found
    }
}
