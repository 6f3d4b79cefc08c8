internal import NIOHTTP1

/// The route table, looked up by method and path. A path is taken apart at its slashes before it is
/// decoded, so a segment may hold an encoded slash.
struct Router: Sendable {
    enum Match {
        /// `index` is the route's place in the table, under which its requests are counted.
        case found(Route, index: Int, parameters: [String])
        case methodNotAllowed(allow: String)
        case notFound
    }

    /// What may follow one segment.
    private struct Node: Sendable {
        var literals: [String: Node] = [:]
        /// One element at most: what follows any segment at all.
        var parameter: [Node] = []
        var entries: [Entry] = []
    }

    private typealias Entry = (route: Route, index: Int)

    let routes: [Route]
    private let hot: Entry?
    private let exact: [String: [Entry]]
    private var root = Node()

    init(_ routes: [Route]) {
        var exact: [String: [Entry]] = [:]
        for (index, route) in routes.enumerated() where !route.pattern.contains("{") {
            exact[route.pattern, default: []].append((route, index))
        }
        self.routes = routes
        self.exact = exact
        hot = routes.firstIndex { $0.isCheck && $0.method == .POST }.map { (routes[$0], $0) }
        for (index, route) in routes.enumerated() {
            let segments = route.pattern.split(separator: "/", omittingEmptySubsequences: false)
            Self.insert((route, index), segments[...], into: &root)
        }
    }

    private static func insert(
        _ entry: Entry, _ segments: ArraySlice<Substring>, into node: inout Node
    ) {
        guard let segment = segments.first else { return node.entries.append(entry) }
        if segment.first == "{" {
            if node.parameter.isEmpty { node.parameter.append(Node()) }
            insert(entry, segments.dropFirst(), into: &node.parameter[0])
        } else {
            insert(
                entry, segments.dropFirst(), into: &node.literals[String(segment), default: Node()])
        }
    }

    /// `path` is what stands before `?`, still encoded.
    func match(_ method: HTTPMethod, _ path: String) -> Match {
        // The one path that is asked a hundred thousand times a second skips the table.
        if let hot, path == hot.route.pattern, method == .POST {
            return .found(hot.route, index: hot.index, parameters: [])
        }
        if let entries = exact[path] { return choose(method, entries, []) }
        var segments: [String] = []
        for segment in path.split(separator: "/", omittingEmptySubsequences: false) {
            guard let decoded = PercentCoding.decode(segment.utf8) else { return .notFound }
            segments.append(decoded)
        }
        var parameters: [String] = []
        let entries = Self.walk(root, segments[...], &parameters)
        return choose(method, entries, parameters)
    }

    /// The routes at the end of a path; a literal segment goes before a parameter.
    private static func walk(
        _ node: Node, _ segments: ArraySlice<String>, _ parameters: inout [String]
    ) -> [Entry] {
        guard let segment = segments.first else { return node.entries }
        let rest = segments.dropFirst()
        if let next = node.literals[segment] {
            let count = parameters.count
            let found = walk(next, rest, &parameters)
            if !found.isEmpty { return found }
            parameters.removeLast(parameters.count - count)
        }
        guard !segment.isEmpty, let next = node.parameter.first else { return [] }
        parameters.append(segment)
        return walk(next, rest, &parameters)
    }

    private func choose(
        _ method: HTTPMethod, _ candidates: [Entry], _ parameters: [String]
    ) -> Match {
        if candidates.isEmpty { return .notFound }
        let wanted = method == .HEAD ? .GET : method
        if let found = candidates.first(where: { $0.route.method == wanted }) {
            return .found(found.route, index: found.index, parameters: parameters)
        }
        var allowed = candidates.map(\.route.method.rawValue)
        if allowed.contains("GET") { allowed.append("HEAD") }
        return .methodNotAllowed(allow: allowed.sorted().joined(separator: ", "))
    }
}
