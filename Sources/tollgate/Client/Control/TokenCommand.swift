import ArgumentParser
import Foundation
import MeteringModel
import Provisioning

struct TokenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "Entitlements that can be checked without asking the server.",
        subcommands: [Mint.self, Verify.self, Keys.self, Rotate.self])

    struct Mint: ClientCommand {
        static let configuration = CommandConfiguration(
            abstract: "A signed token (JWT, EdDSA) of what a customer may use now.",
            discussion: """
                EXAMPLE
                  tollgate token mint acme --ttl 900

                \(CommandExit.help)
                """)

        @Argument(help: "The customer.") var customer: String
        @Option(help: ArgumentHelp("How long it holds, 60 … 86400.", valueName: "seconds"))
        var ttl = 900
        @Option(help: "Whom it is meant for.") var audience: String?
        @OptionGroup var connection: ConnectionOptions

        func perform(_ client: APIClient) async throws(ClientFailure) {
            let body = Document.members([
                "ttl_seconds": .integer(ttl), "audience": audience.map(Document.string),
            ])
            let data = try await client.answer(
                APIRequest(
                    .post, ["v1", "customers", customer, "token"], body: Data(body.canonicalBytes)))
            if connection.json { return Terminal.result(json: data) }
            let answer = try client.document(data)
            Terminal.result(answer["token"]?.text ?? "")
            Terminal.message("holds until \(answer["expires_at"]?.text ?? "?")")
        }
    }

    struct Keys: ClientCommand {
        static let configuration = CommandConfiguration(
            abstract: "The public keys (JWKS) that tokens and audit heads are checked with.")
        @OptionGroup var connection: ConnectionOptions

        func perform(_ client: APIClient) async throws(ClientFailure) {
            let data = try await client.answer(APIRequest(.get, [".well-known", "jwks.json"]))
            Terminal.result(json: data)
        }
    }

    struct Rotate: ClientCommand {
        static let configuration = CommandConfiguration(
            abstract: "Sign with a new key from now on; tokens of the old one hold to their end.")
        @OptionGroup var command: CommandOptions
        @OptionGroup var connection: ConnectionOptions

        func perform(_ client: APIClient) async throws(ClientFailure) {
            let request = command.request(["v1", "signing-keys", "rotate"])
            try show(try await client.answer(request), client, connection)
        }
    }

    /// Needs no server.
    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check a token with the public keys alone, and print what it says.",
            discussion: """
                A token is taken from 60 s before it begins to 60 s after it ends, so that clocks
                may differ by that much.

                EXAMPLE
                  tollgate token keys > jwks.json
                  tollgate token mint acme | tollgate token verify - --jwks jwks.json

                \(CommandExit.help)
                """)

        @Argument(help: "The token; - reads stdin.") var token: String
        @Option(help: "File with the public keys (JWKS).") var jwks: String
        @Option(help: "Whom it must be meant for.") var audience: String?

        func run() async throws {
            do throws(ClientFailure) {
                let text =
                    token == "-"
                    ? String(decoding: try readInput("-"), as: UTF8.self)
                        .trimmingCharacters(in: .whitespacesAndNewlines) : token
                guard
                    let keys = JWKSet(
                        document: try DocumentInput.read(file: jwks, text: nil))
                else { throw ClientFailure(.badInput, "\(jwks) is not a JWKS") }
                let now = Timestamp(
                    microseconds: Int64(Date().timeIntervalSince1970 * 1_000_000))
                Terminal.result(TextTable.printable(try claims(text, keys, now)))
            } catch {
                if !error.message.isEmpty { Terminal.message(error.message) }
                throw ExitCode(error.status.rawValue)
            }
        }

        private func claims(
            _ text: String, _ keys: JWKSet, _ now: Timestamp
        ) throws(ClientFailure) -> Document {
            let claims: TokenClaims
            do throws(TokenError) {
                claims = try TokenVerifier.verify(text, jwks: keys, now: now, audience: audience)
            } catch {
                throw ClientFailure(.notAuthorized, "the token does not hold: \(error)")
            }
            return .object([
                "customer": .string(claims.customer.rawValue), "issuer": .string(claims.issuer),
                "audience": .array(claims.audience.map(Document.string)),
                "issued_at": .string(claims.issuedAt.rfc3339()),
                "expires_at": .string(claims.expiresAt.rfc3339()), "id": .string(claims.id),
                "revision": .integer(claims.revision), "entitlements": claims.entitlements,
            ])
        }
    }
}
