internal import NIOHTTP1

/// The route table, looked up by method and path.
struct Router: Sendable {
    enum Match {
        case found(Route, parameter: String?)
        case methodNotAllowed(allow: String)
        case notFound
    }

    let routes: [Route]
    private let hot: Route?
    private let exact: [String: [Route]]
    private let parametrised: [(segments: [Substring], route: Route)]

    init(_ table: [Route]) {
        var exact: [String: [Route]] = [:]
        var parametrised: [(segments: [Substring], route: Route)] = []
        let routes = table.enumerated().map { index, route in
            var route = route
            route.index = index
            return route
        }
        for route in routes {
            if route.pattern.contains("{") {
                let segments = route.pattern.split(separator: "/", omittingEmptySubsequences: false)
                parametrised.append((segments, route))
            } else {
                exact[route.pattern, default: []].append(route)
            }
        }
        self.routes = routes
        self.exact = exact
        self.parametrised = parametrised
        hot = routes.first { $0.isCheck && $0.method == .POST }
    }

    /// `path` is what stands before `?`, still encoded.
    func match(_ method: HTTPMethod, _ path: String) -> Match {
        // The one path that is asked a hundred thousand times a second skips the table.
        if let hot, path == hot.pattern, method == .POST { return .found(hot, parameter: nil) }
        if let candidates = exact[path] {
            return choose(method, candidates.map { ($0, nil) })
        }
        let segments = path.split(separator: "/", omittingEmptySubsequences: false)
        var candidates: [(Route, String?)] = []
        for entry in parametrised where entry.segments.count == segments.count {
            var parameter: Substring?
            let fits = zip(entry.segments, segments).allSatisfy { pattern, segment in
                if pattern.first == "{" {
                    parameter = segment
                    return !segment.isEmpty
                }
                return pattern == segment
            }
            guard fits, let parameter, let decoded = PercentCoding.decode(parameter.utf8) else {
                continue
            }
            candidates.append((entry.route, decoded))
        }
        return choose(method, candidates)
    }

    private func choose(_ method: HTTPMethod, _ candidates: [(Route, String?)]) -> Match {
        if candidates.isEmpty { return .notFound }
        let wanted = method == .HEAD ? .GET : method
        if let found = candidates.first(where: { $0.0.method == wanted }) {
            return .found(found.0, parameter: found.1)
        }
        var allowed = candidates.map(\.0.method.rawValue)
        if allowed.contains("GET") { allowed.append("HEAD") }
        return .methodNotAllowed(allow: allowed.sorted().joined(separator: ", "))
    }
}
