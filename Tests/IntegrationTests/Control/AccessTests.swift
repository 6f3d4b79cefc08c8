import Foundation
import MeteringModel
import Testing

extension Integration {
    /// Keys, scopes and offline tokens, against the program.
    @Suite(.serialized) struct Access {
        private func bearer(_ secret: String) -> [String: String] {
            ["Authorization": "Bearer \(secret)"]
        }

        @Test func keysAreMadeShownOnceScopedAndRevoked() async throws {
            let server = try TollgateServer(catalog: ControlCatalog.yaml)
            try await server.start()
            try await server.change("PUT", "/v1/customers/acme", #"{"subjects":["key_acme"]}"#)
            try await server.change("PUT", "/v1/customers/other", "{}")
            for customer in ["acme", "other"] {
                try await server.change(
                    "POST", "/v1/subscriptions",
                    #"{"customer":"\#(customer)","plan":"basic","start":"2026-01-15"}"#)
            }
            let weak = try await server.send(
                "POST", "/v1/keys", #"{"name":"edge","scopes":["check"]}"#)
            #expect(weak.status == 422, "the first key must be able to make others: \(weak.text)")
            let made = try await server.change(
                "POST", "/v1/keys", #"{"name":"me","scopes":["admin"]}"#)
            let admin = bearer(try #require(made["secret"]?.text))
            #expect(try await server.send("GET", "/v1/customers/acme").status == 401)
            #expect(
                try await server.send("GET", "/v1/customers/acme", headers: admin).status == 200)

            func key(_ body: String) async throws -> (String, [String: String]) {
                let made = try await server.change("POST", "/v1/keys", body, headers: admin)
                return (made["id"]?.text ?? "", bearer(made["secret"]?.text ?? ""))
            }
            let (_, gateway) = try await key(#"{"name":"edge","scopes":["check"]}"#)
            let (bound, portal) = try await key(
                #"{"name":"portal","scopes":["check","usage:read"],"customer":"acme"}"#)
            let question = #"{"customer":"acme","feature":"api_calls"}"#
            let foreign = #"{"customer":"other","feature":"api_calls"}"#
            #expect(
                try await server.send("POST", "/v1/check", question, headers: gateway).status == 200
            )
            #expect(
                try await server.send("POST", "/v1/check", foreign, headers: gateway).status == 200)
            #expect(
                try await server.send("POST", "/v1/check", question, headers: portal).status == 200)
            #expect(
                try await server.send("POST", "/v1/check", foreign, headers: portal).status == 403)
            let usage = "/v1/customers/other/usage?feature=api_calls"
            #expect(try await server.send("GET", usage, headers: portal).status == 403)
            #expect(
                try await server.send("PUT", "/v1/customers/x", "{}", headers: gateway).status
                    == 403)
            let listed = try await server.send("GET", "/v1/keys", headers: admin)
            #expect(!listed.text.contains(gateway["Authorization"]?.suffix(20) ?? "?"))

            #expect(
                try await server.send("DELETE", "/v1/keys/\(bound)", headers: admin).status < 300)
            #expect(
                try await server.send("POST", "/v1/check", question, headers: portal).status == 401)
            try await server.killAndRestart()
            #expect(
                try await server.send("POST", "/v1/check", question, headers: portal).status == 401)
            #expect(
                try await server.send("POST", "/v1/check", question, headers: gateway).status == 200
            )
        }

        @Test func tokensAreCheckedWithoutTheServer() async throws {
            let server = try TollgateServer(catalog: ControlCatalog.yaml)
            try await server.start()
            try await server.change("PUT", "/v1/customers/acme", "{}")
            try await server.change(
                "POST", "/v1/subscriptions",
                #"{"customer":"acme","plan":"pro","start":"2026-01-15"}"#)
            let first = try await server.change("POST", "/v1/customers/acme/token", "{}")
            try await server.change("POST", "/v1/signing-keys/rotate", "{}")
            let second = try await server.change("POST", "/v1/customers/acme/token", "{}")
            let keys = try server.folder.file(
                "jwks.json", try await server.get("/.well-known/jwks.json").text)
            #expect(try await server.stop() == 0)
            func verify(_ token: String, _ name: String) async throws -> (Int32, String) {
                let child = try ChildProcess(
                    try Places.program(), ["token", "verify", token, "--jwks", keys],
                    folder: server.folder, name: name)
                return (try await child.exitCode(), child.output + child.errors)
            }
            for (number, answer) in [first, second].enumerated() {
                let token = try #require(answer["token"]?.text)
                let (code, text) = try await verify(token, "verify-\(number)")
                #expect(code == 0, "\(text)")
                #expect(text.contains("\"sso\""), "\(text)")
                var altered = Array(token)
                let place = token.count / 2
                altered[place] = altered[place] == "A" ? "B" : "A"
                let (refused, _) = try await verify(String(altered), "altered-\(number)")
                #expect(refused == 77)
            }
        }

        @Test func tlsByCertificateFiles() async throws {
            let folder = try TestFolder()
            let (certificate, key) = (folder.path + "/cert.pem", folder.path + "/key.pem")
            let maker = try ChildProcess(
                "/usr/bin/openssl",
                [
                    "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                    "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out",
                    certificate,
                ], folder: folder, name: "openssl")
            #expect(try await maker.exitCode() == 0, "\(maker.errors)")
            let server = try TollgateServer(
                catalog: ControlCatalog.yaml,
                extra: ["--tls-certificate", certificate, "--tls-key", key])
            try await server.start()
            let client = try ChildProcess(
                try Places.program(),
                [
                    "get", "plans", "--server", "https://localhost:\(server.port)", "--ca-cert",
                    certificate,
                ], folder: folder, name: "client")
            #expect(try await client.exitCode() == 0, "\(client.errors)")
            #expect(client.output.contains("basic"))
            let distrusting = try ChildProcess(
                try Places.program(),
                ["get", "plans", "--server", "https://localhost:\(server.port)"], folder: folder,
                name: "distrusting")
            #expect(try await distrusting.exitCode() == 69, "\(distrusting.errors)")
        }
    }
}
