internal import NIOHTTP1

/// The route table, looked up by method and path.
struct Router: Sendable {
    enum Match {
        /// `index` is the route's place in the table, under which its requests are counted.
        case found(Route, index: Int, parameter: String?)
        case methodNotAllowed(allow: String)
        case notFound
    }

    let routes: [Route]
    private let hot: Entry?
    private let exact: [String: [Entry]]
    private let parametrised: [(segments: [Substring], entry: Entry)]

    private typealias Entry = (route: Route, index: Int)

    init(_ routes: [Route]) {
        var exact: [String: [Entry]] = [:]
        var parametrised: [(segments: [Substring], entry: Entry)] = []
        for (index, route) in routes.enumerated() {
            if route.pattern.contains("{") {
                let segments = route.pattern.split(separator: "/", omittingEmptySubsequences: false)
                parametrised.append((segments, (route, index)))
            } else {
                exact[route.pattern, default: []].append((route, index))
            }
        }
        self.routes = routes
        self.exact = exact
        self.parametrised = parametrised
        hot = routes.firstIndex { $0.isCheck && $0.method == .POST }.map { (routes[$0], $0) }
    }

    /// `path` is what stands before `?`, still encoded.
    func match(_ method: HTTPMethod, _ path: String) -> Match {
        // The one path that is asked a hundred thousand times a second skips the table.
        if let hot, path == hot.route.pattern, method == .POST {
            return .found(hot.route, index: hot.index, parameter: nil)
        }
        if let candidates = exact[path] {
            return choose(method, candidates.map { ($0, nil) })
        }
        let segments = path.split(separator: "/", omittingEmptySubsequences: false)
        var candidates: [(Entry, String?)] = []
        for (pattern, entry) in parametrised where pattern.count == segments.count {
            var parameter: Substring?
            let fits = zip(pattern, segments).allSatisfy { pattern, segment in
                if pattern.first == "{" {
                    parameter = segment
                    return !segment.isEmpty
                }
                return pattern == segment
            }
            guard fits, let parameter, let decoded = PercentCoding.decode(parameter.utf8) else {
                continue
            }
            candidates.append((entry, decoded))
        }
        return choose(method, candidates)
    }

    private func choose(_ method: HTTPMethod, _ candidates: [(Entry, String?)]) -> Match {
        if candidates.isEmpty { return .notFound }
        let wanted = method == .HEAD ? .GET : method
        if let found = candidates.first(where: { $0.0.route.method == wanted }) {
            return .found(found.0.route, index: found.0.index, parameter: found.1)
        }
        var allowed = candidates.map(\.0.route.method.rawValue)
        if allowed.contains("GET") { allowed.append("HEAD") }
        return .methodNotAllowed(allow: allowed.sorted().joined(separator: ", "))
    }
}
