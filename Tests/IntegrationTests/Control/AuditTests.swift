import Foundation
import MeteringModel
import SQLClient
import Testing

extension Integration {
    /// The audit log proves itself, and past decisions follow from it.
    @Suite(.serialized) struct Audit {
        private func run(_ arguments: [String], _ folder: TestFolder) async throws -> (
            Int32, String
        ) {
            let child = try ChildProcess(
                try Places.program(), arguments, folder: folder, name: "cli-\(arguments.count)")
            let code = try await child.exitCode()
            return (code, child.output + child.errors)
        }

        @Test func oneAlteredByteIsFoundAndNamed() async throws {
            let server = try TollgateServer(catalog: ControlCatalog.yaml)
            try await server.start()
            for number in 1...20 {
                try await server.change(
                    "PUT", "/v1/customers/c\(number)", #"{"name":"Customer \#(number)"}"#)
            }
            let head = try await server.get("/v1/audit/head")
            #expect(head.status == 200)
            let headFile = try server.folder.file("head.json", head.text)
            let keys = try server.folder.file(
                "jwks.json", try await server.get("/.well-known/jwks.json").text)
            #expect(try await server.stop() == 0)
            let verify = [
                "audit", "verify", "--data-dir", server.dataDirectory, "--head", headFile,
                "--jwks", keys,
            ]
            let (code, text) = try await run(verify, server.folder)
            #expect(code == 0, "\(text)")

            let connection = try SQLConnection(
                path: server.dataDirectory + "/catalog.db", options: .init(synchronous: .full))
            let sequence = try #require(
                try connection.integer(
                    "SELECT seq FROM changes WHERE id = 'c7' AND kind = 'customer'"))
            try connection.execute(
                "UPDATE changes SET document = replace(document, 'Customer 7', 'Customer 8')"
                    + " WHERE seq = \(sequence)")
            connection.close()
            let (altered, message) = try await run(verify, server.folder)
            #expect(altered == 3)
            #expect(message.contains("row \(sequence) "), "\(message)")
        }

        @Test func pastDecisionsAreDecidedAgainOffline() async throws {
            let server = try TollgateServer(catalog: ControlCatalog.yaml)
            try await server.start()
            var numbers = SeededNumbers(seed: 7)
            var decisions: [Document] = []
            let customers = (1...10).map { "c\($0)" }
            for customer in customers {
                try await server.change("PUT", "/v1/customers/\(customer)", "{}")
            }
            for step in 0..<300 {
                let customer = customers[Int.random(in: 0..<10, using: &numbers)]
                switch step % 6 {
                case 0:
                    let plan = Bool.random(using: &numbers) ? "basic" : "pro"
                    try await server.change(
                        "PUT", "/v1/subscriptions/s-\(customer)",
                        #"{"customer":"\#(customer)","plan":"\#(plan)","start":"2026-01-01"}"#)
                case 1 where step % 12 == 1:
                    try await server.change(
                        "POST", "/v1/overrides",
                        #"""
                        {"customer":"\#(customer)","feature":"api_calls","reason":"test",
                         "value":{"limit":\#(step),"period":"month"}}
                        """#)
                default:
                    for feature in ["api_calls", "tokens", "sso", "region", "seats"] {
                        decisions.append(
                            try await server.check(
                                customer, feature, Int.random(in: 1...200, using: &numbers)))
                    }
                    decisions.append(
                        try await server.consume(
                            customer, "api_calls", Int.random(in: 1...40, using: &numbers)))
                }
            }
            #expect(decisions.count > 1_000)
            let audit = try await server.audit().map(\.canonicalText).joined(separator: "\n")
            let auditFile = try server.folder.file("audit.ndjson", audit + "\n")
            let decisionFile = try server.folder.file(
                "decisions.ndjson", decisions.map(\.canonicalText).joined(separator: "\n") + "\n")
            let (code, text) = try await run(
                ["audit", "evaluate", "--audit", auditFile, "--decisions", decisionFile],
                server.folder)
            #expect(code == 0, "\(text)")
            #expect(text.contains("\(decisions.count) decisions"), "\(text)")

            // One answer that the log does not bear out is named.
            var forged = decisions[17].object ?? [:]
            forged["allowed"] = .bool(!(decisions[17].isAllowed ?? true))
            let forgedFile = try server.folder.file(
                "forged.ndjson", Document.object(forged).canonicalText + "\n")
            let (found, _) = try await run(
                ["audit", "evaluate", "--audit", auditFile, "--decisions", forgedFile, "--json"],
                server.folder)
            #expect(found == 3)
        }
    }
}
