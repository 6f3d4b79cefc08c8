import MeteringModel
import Testing

extension Integration {
    /// Receivers whose certificates come from an authority of the operator's own.
    @Suite(.serialized) struct OutboundTrust {
        private func started(_ more: [String]) async throws -> TollgateServer {
            let server = try TollgateServer(
                catalog: AlertFixture.catalog,
                extra: ["--outbound-allow", "localhost", "--outbound-allow", "127.0.0.1"] + more)
            try await server.start()
            try await server.customer("c1", plan: "small")
            return server
        }

        private func connect(
            _ server: TollgateServer, _ id: String, _ url: String
        ) async throws -> Document {
            try await server.change(
                "PUT", "/v1/alert-endpoints/\(id)",
                #"{"kind":"webhook","url":"\#(url)","settle_seconds":0,"timeout_seconds":5}"#)
        }

        /// What the delivery log says of the only message, after a first attempt.
        private func failure(_ server: TollgateServer, _ id: String) async throws -> String {
            try await eventually("a failed attempt") {
                let rows = try await server.items(
                    "/v1/alert-endpoints/\(id)/deliveries?state=waiting")
                #expect(rows.count <= 1)
                return rows.first?["last_detail"]?.text
            }
        }

        @Test func certificatesOfTheNamedAuthorityAreTrustedForTheirNames() async throws {
            let authority = try await TestAuthority()
            let sink = WebhookSink()
            let site = try await HTTPStandIn.start(
                tls: authority.server("DNS:localhost,IP:127.0.0.1")
            ) { $0.path == "/hook" ? sink.take($0) : .answer(204) }
            let other = try await HTTPStandIn.start(
                tls: authority.server("DNS:elsewhere.example")
            ) { _ in .answer(204) }
            let server = try await started(["--outbound-ca", authority.file])
            let main = try await connect(server, "main", "https://localhost:\(site.port)/hook")
            try sink.learn(try #require(main["secret"]?.text))
            _ = try await connect(server, "address", "https://127.0.0.1:\(site.port)/other")
            _ = try await connect(server, "stranger", "https://localhost:\(other.port)/hook")
            _ = try await connect(server, "plain", "http://localhost:\(site.port)/other")

            try await server.use([.init("one", "c1", 50)])
            try await eventually("the message") { sink.messages.isEmpty ? nil : true }
            #expect(sink.messages.map(\.id) == (try await server.crossings().map(\.id)))
            #expect(sink.problems.isEmpty, "\(sink.problems)")
            try await eventually("the message at the address") {
                try await server.items("/v1/alert-endpoints/address/deliveries?state=delivered")
                    .first
            }
            let stranger = try await failure(server, "stranger")
            #expect(stranger.hasPrefix("tls: "), "\(stranger)")
            #expect(stranger.contains("another name"), "\(stranger)")
            #expect(other.requestCount == 0)
            // Plain http to a port that speaks https.
            let plain = try await failure(server, "plain")
            #expect(plain.contains("localhost"), "\(plain)")
            #expect(try await server.stop() == 0)
        }

        @Test func withoutTheAuthorityNothingIsSent() async throws {
            let authority = try await TestAuthority()
            let site = try await HTTPStandIn.start(tls: authority.server("DNS:localhost")) { _ in
                .answer(204)
            }
            let server = try await started([])
            _ = try await connect(server, "main", "https://localhost:\(site.port)/hook")
            try await server.use([.init("one", "c1", 50)])
            let detail = try await failure(server, "main")
            #expect(detail.hasPrefix("tls: "), "\(detail)")
            #expect(detail.contains("--outbound-ca"), "\(detail)")
            #expect(try await server.state(ofEndpoint: "main") == "failing")
            #expect(server.child?.errors.contains("--outbound-ca") == true)
            #expect(site.requestCount == 0)
        }
    }
}
