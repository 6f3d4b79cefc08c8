import Foundation
import MeteringModel
import Testing

extension Integration {
    /// Crossings that are posted to Slack, whose address is a secret.
    @Suite(.serialized) struct Slack {
        private static let secret = "sUp3rS3cretPath"
        private static let path = "/services/T0AB/B0CD/" + secret
        private static let customer = "a&b<c>"
        private static let escaped = "a&amp;b&lt;c&gt;"

        private func started(_ site: HTTPStandIn) async throws -> TollgateServer {
            let server = try TollgateServer(
                catalog: AlertFixture.catalog,
                extra: [
                    "--outbound-allow", "127.0.0.1:\(site.port)", "--log-level", "trace",
                ])
            try await server.start()
            try await server.change(
                "PUT", "/v1/customers/a%26b%3Cc%3E", #"{"subjects":["\#(Self.customer)"]}"#)
            try await server.change(
                "POST", "/v1/subscriptions",
                #"{"customer":"\#(Self.customer)","plan":"small","start":"2025-01-01"}"#)
            let made = try await server.change(
                "PUT", "/v1/alert-endpoints/ops",
                #"{"kind":"slack","url":"\#(site.url)\#(Self.path)","timeout_seconds":5}"#)
            #expect(made["url"]?.text == site.url + "/…")
            #expect(made["secret"] == nil)
            return server
        }

        private func use(_ server: TollgateServer, _ tokens: Int64) async throws {
            try await server.use([.init("use-\(tokens)", Self.customer, tokens)])
        }

        /// Waits until so many lines were taken.
        private func taken(_ slack: SlackSite, _ count: Int) async throws {
            try await eventually("\(count) lines") { slack.lines.count >= count ? true : nil }
        }

        @Test func everyCrossingIsPostedOnceWhateverSlackAnswers() async throws {
            let slack = SlackSite(path: Self.path)
            let site = try await HTTPStandIn.start { slack.take($0) }
            let server = try await started(site)

            // Too much: left alone for as long as Slack asks, which is longer than the schedule.
            slack.answer(.answer(429, headers: ["Retry-After": "7"], body: "rate_limited"))
            try await use(server, 50)
            try await eventually("a first call") { slack.calls.first }
            slack.answer(nil)
            try await taken(slack, 1)
            #expect(slack.calls.count == 2)
            #expect(slack.calls[0].at.duration(to: slack.calls[1].at) >= .seconds(7))

            // Something between repeats the address; the log of deliveries does not.
            slack.answer(.answer(500, body: "Cannot POST \(Self.path)"))
            try await use(server, 30)
            try await server.waitUntil("failing", endpoint: "ops")
            try await server.killAndRestart()
            slack.answer(nil)
            try await server.enable(endpoint: "ops")
            try await taken(slack, 2)

            try await isDisabled(server, slack, by: 404, "no_service", using: 20, line: 3)
            try await isDisabled(server, slack, by: 410, "channel_is_archived", using: 21, line: 4)

            #expect(slack.problems.isEmpty, "\(slack.problems)")
            #expect(slack.lines.allSatisfy { $0.contains(" \(Self.escaped) · tokens · ") })
            #expect(
                slack.lines.compactMap { $0.split(separator: " · ").dropFirst(2).first }
                    == ["50%", "80%", "100%", "120%"])
            try await expectNoSecret(server)
            #expect(try await server.stop() == 0)
        }

        /// Slack says that the webhook is no more: nothing is posted until somebody enables it.
        private func isDisabled(
            _ server: TollgateServer, _ slack: SlackSite, by status: Int, _ word: String,
            using tokens: Int64, line: Int
        ) async throws {
            slack.answer(.answer(status, body: word))
            let before = slack.calls.count
            try await use(server, tokens)
            try await server.waitUntil("disabled", endpoint: "ops")
            let shown = try await server.document("/v1/alert-endpoints/ops")["status"]
            #expect(shown?["disabled_reason"]?.text?.hasPrefix("\(word): ") == true, "\(shown)")
            #expect(shown?["waiting"]?.integer == 1)
            slack.answer(nil)
            #expect(slack.calls.count == before + 1)
            try await server.enable(endpoint: "ops")
            try await taken(slack, line)
        }

        /// Looks everywhere that people and programs can look.
        private func expectNoSecret(_ server: TollgateServer) async throws {
            let test = try await server.send("POST", "/v1/alert-endpoints/ops/test", "{}")
            #expect(try test.document()["delivered"]?.flag == true, "\(test.text)")
            var shown = [test.text]
            let deliveries = "/v1/alert-endpoints/ops/deliveries"
            let messages = try await server.items(deliveries).compactMap { $0["message"]?.text }
            #expect(messages.count == 4)
            let paths =
                ["/v1/alert-endpoints", "/v1/alert-endpoints/ops", "/v1/audit", deliveries]
                + messages.map { "\(deliveries)/\($0)" }
            for path in paths {
                let answer = try await server.get(path)
                #expect(answer.status == 200, "\(path): \(answer.text)")
                shown.append(answer.text)
            }
            #expect(shown.contains { $0.contains("rate_limited") })
            shown.append(try await server.client("endpoints", "list").output)
            shown.append(try await server.admin("/metrics").text)
            for text in shown { #expect(!text.contains(Self.secret), "\(text)") }

            // Logs of both processes, stores, the client's output.
            let files = try #require(FileManager.default.enumerator(atPath: server.folder.path))
            var count = 0
            for case let name as String in files {
                let path = server.folder.path + "/" + name
                guard let bytes = FileManager.default.contents(atPath: path) else { continue }
                count += 1
                #expect(bytes.firstRange(of: Data(Self.secret.utf8)) == nil, "\(name)")
            }
            #expect(count > 5)
        }
    }
}
