import MeteringPorts
import NIOHTTP1
import Testing

@testable import HTTPAPI

@Suite struct RouterTests {
    private static func router(_ patterns: [(HTTPMethod, String)]) -> Router {
        Router(
            patterns.map { method, pattern in
                Route(
                    method: method, pattern: pattern, scope: nil,
                    operation: Operation(id: "\(method.rawValue) \(pattern)", summary: ""),
                    handler: .immediate { _, _ in .ok })
            })
    }

    private static let router = router([
        (.GET, "/v1/customers"), (.GET, "/v1/customers/{id}"), (.PUT, "/v1/customers/{id}"),
        (.POST, "/v1/customers:import"), (.GET, "/v1/customers/{id}/seats/{feature}"),
        (.DELETE, "/v1/customers/{id}/seats/{feature}/{holder}"),
        (.POST, "/v1/customers/{id}/seats/{feature}/{holder}/heartbeat"),
        (.GET, "/v1/customers/{id}/usage"), (.GET, "/v1/customers/all/usage"),
        (.GET, "/.well-known/jwks.json"), (.GET, "/v1/audit"), (.GET, "/v1/audit/head"),
    ])

    @Test(
        arguments: [
            ("GET", "/v1/customers", "/v1/customers", []),
            ("GET", "/v1/customers/a", "/v1/customers/{id}", ["a"]),
            ("HEAD", "/v1/customers/a", "/v1/customers/{id}", ["a"]),
            ("GET", "/v1/customers/a%2Fb%3Fc", "/v1/customers/{id}", ["a/b?c"]),
            ("GET", "/v1/customers/import", "/v1/customers/{id}", ["import"]),
            ("POST", "/v1/customers:import", "/v1/customers:import", []),
            ("POST", "/v1/customers%3Aimport", "/v1/customers:import", []),
            ("GET", "/v1/customers/a:b/usage", "/v1/customers/{id}/usage", ["a:b"]),
            ("GET", "/v1/customers/all/usage", "/v1/customers/all/usage", []),
            (
                "GET", "/v1/customers/all/seats/f", "/v1/customers/{id}/seats/{feature}",
                ["all", "f"]
            ),
            (
                "POST", "/v1/customers/x%2Fy/seats/f/u%401/heartbeat",
                "/v1/customers/{id}/seats/{feature}/{holder}/heartbeat", ["x/y", "f", "u@1"]
            ),
            ("GET", "/.well-known/jwks.json", "/.well-known/jwks.json", []),
            ("GET", "/v1/audit/head", "/v1/audit/head", []),
            ("GET", "/v1/customers/J%C3%B6rg", "/v1/customers/{id}", ["Jörg"]),
        ] as [(String, String, String, [String])])
    func found(_ method: String, _ path: String, _ pattern: String, _ values: [String]) {
        guard
            case .found(let route, let index, let parameters) = Self.router.match(
                HTTPMethod(rawValue: method), path)
        else {
            Issue.record("\(method) \(path) is not found")
            return
        }
        #expect(route.pattern == pattern && parameters == values)
        #expect(Self.router.routes[index] === route)
    }

    @Test(arguments: [
        "/v1/customers/", "/v1/customers//usage", "/v1/customers/%zz", "/v1/customers/a/",
        "/v1/customers/a%ff", "/v1", "/", "", "//v1/customers", "/v1/customers/a/seats",
        "/v1/customers/a/seats/f/h/heartbeat/x", "/V1/customers",
    ])
    func notFound(_ path: String) {
        guard case .notFound = Self.router.match(.GET, path) else {
            Issue.record("\(path) is found")
            return
        }
    }

    @Test func otherMethodsAreNamed() {
        let cases = [
            ("/v1/customers/a", "GET, HEAD, PUT"), ("/v1/customers:import", "POST"),
            ("/v1/customers/a/seats/f/h", "DELETE"), ("/v1/customers", "GET, HEAD"),
        ]
        for (path, allow) in cases {
            guard case .methodNotAllowed(let allowed) = Self.router.match(.PATCH, path) else {
                Issue.record("\(path)")
                continue
            }
            #expect(allowed == allow)
        }
    }
}
