import Foundation
import MeteringModel
import Testing

extension Integration {
    /// Crossings that are told to webhooks on real sockets, whatever happens on the way.
    @Suite(.serialized) struct Webhooks {
        private static let customers = ["c1", "c2"]

        private func server(reaching sites: HTTPStandIn...) async throws -> TollgateServer {
            let server = try TollgateServer(
                catalog: AlertFixture.catalog,
                extra: sites.flatMap { ["--outbound-allow", "127.0.0.1:\($0.port)"] })
            try await server.start()
            for customer in Self.customers { try await server.customer(customer, plan: "small") }
            return server
        }

        /// Makes a webhook without digests and waiting times, and tells its secret to the sink.
        private func connect(
            _ server: TollgateServer, _ id: String, _ site: HTTPStandIn, _ sink: WebhookSink?
        ) async throws {
            let made = try await server.change(
                "PUT", "/v1/alert-endpoints/\(id)",
                #"""
                {"kind":"webhook","url":"\#(site.url)/hook","digest":false,"settle_seconds":0,
                 "timeout_seconds":5}
                """#)
            let secret = try #require(made["secret"]?.text)
            try sink?.learn(secret)
        }

        private func useAll(_ server: TollgateServer, _ round: Int, _ tokens: Int64) async throws {
            try await server.use(
                Self.customers.map { .init("\($0)-\(round)", $0, tokens) })
        }

        /// Waits for so many messages; somebody enables the endpoint now and then, which has it
        /// tried at once.
        private func hurry(
            _ server: TollgateServer, _ sink: WebhookSink, until count: Int
        ) async throws {
            try await eventually("\(count) messages") {
                if sink.messages.count >= count { return true }
                try await server.enable(endpoint: "main")
                try await Task.sleep(for: .milliseconds(300))
                return nil
            }
        }

        /// Waits until the first message of the failing line had another attempt.
        private func failedAgain(_ server: TollgateServer) async throws {
            try await server.waitUntil("failing", endpoint: "main")
            func attempts() async throws -> Int64 {
                let line = try await server.items(
                    "/v1/alert-endpoints/main/deliveries?state=waiting")
                return line.compactMap { $0["attempts"]?.integer }.max() ?? 0
            }
            let before = try await attempts()
            try await eventually("another attempt") {
                try await attempts() > before ? true : nil
            }
        }

        @Test func everyCrossingArrivesOnceInOrder() async throws {
            let isDropping = Switch(true)
            let sink = WebhookSink { isDropping.isOn && $0 % 2 == 1 }
            let site = try await HTTPStandIn.start { sink.take($0) }
            let silent = try await HTTPStandIn.start { _ in .silence }
            let server = try await server(reaching: site, silent)
            try await connect(server, "main", site, sink)
            try await connect(server, "hanging", silent, nil)

            // Half of the calls get no answer; the line goes on by itself.
            try await useAll(server, 1, 50)
            try await eventually("a first message") { sink.messages.isEmpty ? nil : true }
            try await server.killAndRestart()
            try await useAll(server, 2, 30)
            try await hurry(server, sink, until: 4)

            // The sink is away for more than one attempt of either process; the server dies
            // meanwhile.
            try await site.stop()
            try await useAll(server, 3, 20)
            try await failedAgain(server)
            try await server.killAndRestart()
            try await useAll(server, 4, 20)
            try await failedAgain(server)
            // Nobody enables the endpoint: the line is tried by its own schedule.
            isDropping.turn(false)
            try await site.start()
            try await eventually("all messages") { sink.messages.count >= 8 ? true : nil }

            let expected = try await server.crossings().map(\.id)
            #expect(expected.count == 8)
            #expect(sink.messages.map(\.id) == expected)
            #expect(sink.problems.isEmpty, "\(sink.problems)")
            #expect(sink.droppedCount >= 4)
            // The other endpoint has had one request at a time, and took none.
            #expect(silent.requestCount >= 1)
            let hanging = "/v1/alert-endpoints/hanging/deliveries?state="
            #expect(try await server.items(hanging + "delivered").isEmpty)
            #expect(try await server.items(hanging + "waiting").count == 8)
            #expect(try await server.stop() == 0)
        }

        @Test func aRaisedLimitResolvesWhatWasTold() async throws {
            let sink = WebhookSink()
            let site = try await HTTPStandIn.start { sink.take($0) }
            let server = try await server(reaching: site)
            try await connect(server, "main", site, sink)
            try await server.use([.init("all", "c1", 130)])
            try await eventually("four crossings") { sink.messages.count == 4 ? true : nil }
            let told = sink.messages
            #expect(
                Set(told.map(\.type)) == [
                    "usage.threshold.warning", "quota.exhausted", "usage.threshold.reached",
                ])
            try await server.change(
                "PATCH", "/v1/subscriptions/sub-c1", #"{"plan":"large"}"#)
            try await eventually("four resolved") { sink.messages.count == 8 ? true : nil }
            let resolved = sink.messages.dropFirst(4)
            #expect(resolved.allSatisfy { $0.type == "usage.threshold.resolved" })
            #expect(Set(resolved.map(\.id)) == Set(told.map { $0.id + "-2" }))
            #expect(sink.problems.isEmpty, "\(sink.problems)")

            // Sent again by hand: the same id, so a receiver takes it once.
            let first = try #require(told.first?.id)
            let calls = site.requestCount
            try await server.change(
                "POST", "/v1/alert-endpoints/main/deliveries/\(first)/resend", "{}")
            try await eventually("the repetition") { site.requestCount > calls ? true : nil }
            #expect(sink.messages.count == 8)
        }

        @Test func anEndpointThatIsGoneIsLeftAloneUntilItIsEnabled() async throws {
            let sink = WebhookSink()
            let isGone = Switch(true)
            let site = try await HTTPStandIn.start {
                isGone.isOn ? .answer(410) : sink.take($0)
            }
            let server = try await server(reaching: site)
            try await connect(server, "main", site, sink)
            try await useAll(server, 1, 50)
            try await server.waitUntil("disabled", endpoint: "main")
            #expect(site.requestCount == 1)
            isGone.turn(false)
            try await server.enable(endpoint: "main")
            try await eventually("both messages") { sink.messages.count == 2 ? true : nil }
            #expect(sink.messages.map(\.id) == (try await server.crossings().map(\.id)))
        }

        @Test func addressesThatAreNotAllowedAreRefused() async throws {
            let server = try TollgateServer(catalog: AlertFixture.catalog)
            try await server.start()
            let urls = [
                "http://10.0.0.7/hook", "https://192.168.1.1/hook", "https://[::1]/hook",
                "https://127.0.0.1/hook", "https://169.254.169.254/latest/meta-data",
                "http://example.com/hook", "ftp://example.com/hook",
            ]
            for url in urls {
                let answer = try await server.send(
                    "PUT", "/v1/alert-endpoints/main", #"{"kind":"webhook","url":"\#(url)"}"#)
                #expect(answer.status == 422, "\(url): \(answer.text)")
                #expect(try answer.document()["code"]?.text == "refused_address")
            }
        }

        @Test func noRequestFollowsARedirectOrAName() async throws {
            let victim = try await HTTPStandIn.start { _ in .answer(200) }
            let target = victim.url + "/secret"
            let site = try await HTTPStandIn.start { _ in
                .answer(302, headers: ["Location": target])
            }
            let server = try await server(reaching: site)
            try await connect(server, "main", site, nil)
            let tried = try await server.change("POST", "/v1/alert-endpoints/main/test", "{}")
            #expect(tried["delivered"]?.flag == false)
            #expect(tried["status"]?.integer == 302, "\(tried)")
            #expect(victim.requestCount == 0)

            // Names are looked up when they are used; these lead to this machine.
            for name in ["localhost", "2130706433", "127.1"] {
                let url = "https://\(name):8443/hook"
                let body = #"{"kind":"webhook","url":"\#(url)"}"#
                let made = try await server.send("PUT", "/v1/alert-endpoints/named", body)
                if made.status == 422 { continue }
                let named = try await server.change(
                    "POST", "/v1/alert-endpoints/named/test", "{}")
                #expect(named["delivered"]?.flag == false)
                #expect(named["detail"]?.text?.contains("address") == true, "\(named)")
            }
        }
    }
}
