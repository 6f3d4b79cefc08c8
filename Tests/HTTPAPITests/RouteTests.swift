import Foundation
import MeteringModel
import MeteringPorts
import Synchronization
import Testing

@Suite struct RouteTests {
    @Test func entitlements() async throws {
        try await Harness.run { server in
            let reply = try await server.send("GET", "/v1/customers/acme%20inc/entitlements")
            let list = try reply.json["entitlements"] as? [[String: Any]] ?? []
            #expect(try reply.json["customer"] as? String == "acme inc")
            #expect(list.first?["type"] as? String == "seat")
            #expect(list.first?["allowed"] as? Bool == false)
            #expect(list.first?["binding"] is NSNull)
            #expect(list.last?["enforcement"] as? String == "soft")
            #expect(list.last?["limit_source"] as? String == "plan pro v3")
            #expect(list.last?["sources"] as? [String] == ["plan pro v3", "add_on premium x2"])
            let binding = try #require(list.last?["binding"] as? [String: [String]])
            #expect(binding == ["domains": ["*.acme.test"], "regions": ["eu"]])
            let then = "/v1/customers/acme/entitlements?at=2026-01-01T00:00:00Z"
            #expect(try await server.send("GET", then).status == 200)
            #expect(
                server.gate.instants.withLock { $0 } == [nil, Timestamp(seconds: 1_767_225_600)])
            #expect(
                try await server.send("GET", "/v1/customers/ghost/entitlements").status == 404)
            #expect(
                try await server.send("GET", "/v1/customers/a/entitlements?at=2026").field == "at")
            #expect(try await server.send("GET", "/v1/customers//entitlements").status == 404)
            #expect(try await server.send("GET", "/v1/customers/%zz/entitlements").status == 404)
        }
    }

    @Test func usage() async throws {
        try await Harness.run { server in
            let path = "/v1/customers/acme/usage"
            let reply = try await server.send(
                "GET",
                path
                    + "?feature=tokens&window=month&from=2026-11-01T00:00:00+01:00&group_by=model,x"
            )
            #expect(reply.status == 200)
            let windows = try reply.json["windows"] as? [[String: Any]] ?? []
            #expect(windows.first?["value"] as? String == "81234.00")
            #expect(windows.first?["start"] as? String == "2026-11-01T00:00:00+01:00")
            #expect(windows.first?["group"] as? [String: String] == ["model": "m1"])
            #expect(
                server.reporting.asked.withLock { $0 }
                    == [#"acme tokens 1793487600 month ["model", "x"]"#])
            for (query, field) in [
                ("", "feature"), ("?feature=a&window=year", "window"),
                ("?feature=a&from=now", "from"),
                ("?feature=a&feature=b", "feature"), ("?feature=%z", "feature"),
                ("?feature=a&from=2026-02-30T00:00:00Z", "from"),
                ("?feature=a&from=2026-02-02T00:00:00Z&to=2026-02-01T00:00:00Z", "to"),
            ] {
                let bad = try await server.send("GET", path + query)
                #expect(bad.status == 400 && bad.field == field, "\(query) \(bad.body)")
            }
            #expect(try await server.send("GET", path + "?feature=none").status == 404)
            let page = try await server.send(
                "GET",
                path + "?feature=a&limit=1&filter=model:m1,model:m%3A2&filter=region:eu&cursor=c")
            #expect(try page.json["next"] as? String == "more")
            #expect(
                server.reporting.asked.withLock { $0.last }
                    == #"["model:m1", "model:m:2", "region:eu"] 1 c"#)
            #expect(try reply.json["next"] is NSNull)
            let bad = try await server.send("GET", path + "?feature=a&limit=10001")
            #expect(bad.status == 400 && bad.field == "limit")
            let gone = try await server.send("GET", path + "?feature=a&cursor=old")
            #expect(gone.status == 400 && gone.code == "window_not_kept")
        }
    }

    @Test func nearLimitAndAlerts() async throws {
        try await Harness.run { server in
            let near = try await server.send("GET", "/v1/near-limit?over=0.755&limit=2&cursor=c")
            #expect(server.reporting.asked.withLock { $0.first } == "near 7550 2 c")
            #expect(try near.json["next"] is NSNull)
            let first = try await server.send("GET", "/v1/near-limit")
            #expect(try first.json["next"] as? String == "next-page")
            #expect(near.body.contains(#""share":"0.9000""#))
            _ = try await server.send(
                "GET", "/v1/near-limit?plan=pro&owner=mia&feature=tokens")
            #expect(server.reporting.asked.withLock { $0.last } == "pro mia tokens")
            for (query, field) in [
                ("over=x", "over"), ("over=-1", "over"), ("limit=0", "limit"),
                ("limit=1001", "limit"),
            ] {
                let bad = try await server.send("GET", "/v1/near-limit?" + query)
                #expect(bad.status == 400 && bad.field == field)
            }
            let alerts = try await server.send(
                "GET", "/v1/alerts?customer=acme&since=2026-01-01T00:00:00Z")
            let list = try alerts.json["alerts"] as? [[String: Any]] ?? []
            #expect(list.first?["threshold"] as? String == "80%")
            #expect((list.first?["id"] as? String)?.count == 32)
        }
    }

    @Test func deadLetters() async throws {
        try await Harness.run { server in
            let reply = try await server.send("GET", "/v1/dead-letters?kind=quarantine")
            let events = try reply.json["events"] as? [[String: Any]] ?? []
            #expect(events[0]["kind"] as? String == "quarantine")
            #expect((events[0]["event"] as? [String: Int]) == ["a": 1])
            #expect(events[0]["headers"] as? [String: String] == ["ce_id": "7"])
            #expect(events[1]["event_base64"] as? String == "/wA=")
            #expect(try await server.send("GET", "/v1/dead-letters?kind=x").field == "kind")
            let path = "/v1/dead-letters/redrive"
            #expect(try await server.send("POST", path).body == #"{"redriven":3}"#)
            #expect(
                try await server.send("POST", path, #"{"kind":"dead_letter","limit":5}"#).status
                    == 200)
            #expect(try await server.send("POST", path, #"{"kind":7}"#).field == "kind")
            #expect(
                server.ingest.redrives.withLock { $0 } == ["all 1000", "dead_letter 5"])
        }
    }

    @Test func audits() async throws {
        try await Harness.run { server in
            let totals = try await server.send("GET", "/v1/totals")
            #expect(
                totals.body
                    == #"{"totals":[{"customer":"acme","meter":"tokens","count":3,"value":99}]}"#)
            let report = try await server.send("POST", "/v1/reconcile")
            #expect(try report.json["duplicates"] as? Int == 1)
            #expect(try report.json["set_aside"] as? Int == 2)
            #expect(try report.json["filtered"] as? Int == 2)
            #expect(try report.json["control_events"] as? Int == 1)
            #expect((try report.json["drifts"] as? [Any])?.count == 1)
        }
    }

    @Test func catalog() async throws {
        try await Harness.run { server in
            let dry = try await server.send(
                "POST", "/v1/catalog?dry_run=true&prune=true&migrate=true&expected_count=3",
                "plans: []")
            #expect(dry.body == #"{"revision":2,"applied":false,"changes":["+ plan pro"]}"#)
            #expect(
                server.catalog.options.withLock { $0 }
                    == [CatalogApplyOptions(isDryRun: true, prunes: true, migrates: true)])
            let context = try #require(server.catalog.contexts.withLock { $0.first })
            #expect(context.expectedCount == 3 && context.principal == .local)
            #expect(try await server.send("POST", "/v1/catalog", "plans: []").status == 200)
            let current = try await server.send("GET", "/v1/catalog")
            #expect(current.body == "plans: []")
            #expect(current.headers["content-type"] == "application/yaml")
            #expect(current.headers["etag"] == "\"1\"")
            #expect(try await server.send("GET", "/v1/catalog?all=true").status == 200)
            #expect(server.catalog.exports.withLock { $0 } == [false, true])
            let bad = try await server.send("POST", "/v1/catalog", "bad")
            #expect(bad.status == 422)
            let errors = try bad.json["errors"] as? [[String: Any]] ?? []
            #expect(errors.first?["line"] as? Int == 3 && errors.first?["column"] as? Int == 7)
            #expect(try await server.send("POST", "/v1/catalog").status == 400)
            #expect(try await server.send("POST", "/v1/catalog?dry_run=1", "a").field == "dry_run")
        }
    }

    @Test func operatorsPort() async throws {
        try await Harness.run { server in
            #expect(
                try await server.send("GET", "/healthz", admin: true).body == #"{"status":"ok"}"#)
            let ready = try await server.send("GET", "/readyz", admin: true)
            #expect(ready.status == 200)
            #expect(try ready.json["details"] as? [String: String] == ["mode": "exact"])
            server.operations.reasons.withLock { $0 = ["no catalog"] }
            let unready = try await server.send("GET", "/readyz", admin: true)
            #expect(unready.status == 503)
            #expect(try unready.json["reasons"] as? [String] == ["no catalog"])
            #expect(try await server.send("GET", "/v1/check", admin: true).status == 404)
            #expect(try await server.send("GET", "/healthz").status == 404)

            let check = #"{"customer":"acme","feature":"tokens"}"#
            for _ in 0..<3 { _ = try await server.send("POST", "/v1/check", check) }
            let metrics = try await server.send("GET", "/metrics", admin: true)
            #expect(metrics.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
            #expect(metrics.body.hasPrefix("tollgate_up 1\n"))
            #expect(
                metrics.body.contains(
                    #"requests_total{method="POST",route="/v1/check",status="2xx"} 3"#))
            #expect(
                metrics.body.contains(#"tollgate_check_duration_seconds_count{protocol="http"} 3"#))
        }
    }
}
