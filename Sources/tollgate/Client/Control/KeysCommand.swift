import ArgumentParser
import Foundation
import MeteringModel

struct KeysCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "Make, list and revoke API keys.",
        subcommands: [Create.self, List.self, Revoke.self])

    struct Create: ClientCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a key; its secret is printed once and kept nowhere.",
            discussion: """
                SCOPES
                  check         checks, charges, reservations
                  events:write  usage events
                  usage:read    usage, alerts, entitlements, records
                  limits:write  customers, subscriptions, overrides, grants, seats, revocations
                  alerts:write  alert endpoints: where alerts go
                  audit:read    the audit log
                  admin         everything, keys and catalog included

                EXAMPLES
                  tollgate keys create --name me --scope admin > me.key
                  tollgate keys create --name edge --scope check --scope events:write
                  tollgate keys create --name acme-portal --scope usage:read --customer acme

                \(CommandExit.help)
                """)

        @Option(help: "What the key is for.") var name: String
        @Option(name: .customLong("scope"), help: "What it may do; repeatable.")
        var scopes: [String]
        @Option(help: "Bind it to this customer and those below it.") var customer: String?
        @Option(help: ArgumentHelp("When it stops working, RFC 3339.", valueName: "time"))
        var expiresAt: String?
        @OptionGroup var connection: ConnectionOptions

        func perform(_ client: APIClient) async throws(ClientFailure) {
            let body = Document.members([
                "name": .string(name), "scopes": .array(scopes.map(Document.string)),
                "customer": customer.map(Document.string),
                "expires_at": expiresAt.map(Document.string),
            ])
            let data = try await client.answer(
                APIRequest(.post, ["v1", "keys"], body: Data(body.canonicalBytes)))
            if connection.json { return Terminal.result(json: data) }
            let answer = try client.document(data)
            Terminal.result(answer["secret"]?.text ?? "")
            Terminal.message(
                "key \(answer["id"]?.text ?? "") made; the secret above is not shown again")
        }
    }

    struct List: ClientCommand {
        static let configuration = CommandConfiguration(abstract: "Keys, without secrets.")
        @OptionGroup var connection: ConnectionOptions

        func perform(_ client: APIClient) async throws(ClientFailure) {
            let data = try await client.answer(APIRequest(.get, ["v1", "keys"]))
            if connection.json { return Terminal.result(json: data) }
            var table = TextTable([
                ("ID", .left), ("NAME", .left), ("SECRET", .left), ("SCOPES", .left),
                ("CUSTOMER", .left), ("CREATED", .left), ("EXPIRES", .left), ("REVOKED", .left),
            ])
            for key in try client.document(data)["items"]?.elements ?? [] {
                let secret = "\(key["prefix"]?.text ?? "")…\(key["last_four"]?.text ?? "")"
                table.add([
                    key["id"]?.text ?? "", key["name"]?.text ?? "", secret,
                    (key["scopes"]?.elements ?? []).compactMap(\.text).joined(separator: " "),
                    key["customer"]?.text ?? "", key["created_at"]?.text ?? "",
                    key["expires_at"]?.text ?? "", key["revoked_at"]?.text ?? "",
                ])
            }
            if table.isEmpty {
                return Terminal.message("no keys: everybody on this machine may do everything")
            }
            Terminal.result(table.text)
        }
    }

    struct Revoke: ClientCommand {
        static let configuration = CommandConfiguration(abstract: "Make a key useless, at once.")
        @Argument(help: "The key's id.") var id: String
        @OptionGroup var connection: ConnectionOptions

        func perform(_ client: APIClient) async throws(ClientFailure) {
            let data = try await client.answer(APIRequest(.delete, ["v1", "keys", id]))
            try show(data, client, connection)
        }
    }
}
