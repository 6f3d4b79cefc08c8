import ArgumentParser
import Foundation
import MeteringModel

extension EndpointsCommand {
    struct Deliveries: ClientCommand {
        static let configuration = CommandConfiguration(
            abstract: "What was, is or shall be delivered; one message with its attempts.")
        @Argument(help: "The endpoint's id.") var id: String
        @Argument(help: "A message's id; a list without it.") var message: String?
        @Option(help: "waiting, delivered, failed or cancelled.") var state: String?
        @OptionGroup var page: PageOptions
        @OptionGroup var connection: ConnectionOptions

        func perform(_ client: APIClient) async throws(ClientFailure) {
            let path = EndpointsCommand.path + [id, "deliveries"]
            if let message {
                let data = try await client.answer(APIRequest(.get, path + [message]))
                return try show(data, client, connection)
            }
            let pages = page.reader(path, state.map { [("state", $0)] } ?? [])
            var table = TextTable([
                ("MESSAGE", .left), ("TYPE", .left), ("CUSTOMER", .left), ("STATE", .left),
                ("ATTEMPTS", .right), ("QUEUED", .left), ("LAST", .left),
            ])
            let next = try await pages.readItems(client, connection) { item in
                table.add(
                    ["message", "type", "customer", "state"].map { item[$0]?.text ?? "" } + [
                        item["attempts"]?.digits ?? "", item["queued_at"]?.text ?? "",
                        item["last_detail"]?.text ?? "",
                    ])
            }
            if connection.json { return }
            table.show(orSay: "no deliveries", next: next)
        }
    }

    struct Resend: ClientCommand {
        static let configuration = CommandConfiguration(
            abstract: "Send one message again, or all that happened in a time, in order.",
            discussion: """
                EXAMPLES
                  tollgate endpoints resend ops --message 5f0c…
                  tollgate endpoints resend ops --from 2026-11-01 --to 2026-11-02

                \(CommandExit.help)
                """)
        @Argument(help: "The endpoint's id.") var id: String
        @Option(help: "One message's id.") var message: String?
        @Option(
            help: ArgumentHelp("From then on: RFC 3339, or a date in UTC.", valueName: "time"))
        var from: String?
        @Option(help: ArgumentHelp("Until before then.", valueName: "time")) var to: String?
        @OptionGroup var options: CommandOptions
        @OptionGroup var connection: ConnectionOptions

        func perform(_ client: APIClient) async throws(ClientFailure) {
            var request: APIRequest
            switch (message, from, to) {
            case (let message?, nil, nil):
                request = options.request(
                    EndpointsCommand.path + [id, "deliveries", message, "resend"])
            case (nil, let from?, let to?):
                request = options.request(EndpointsCommand.path + [id, "resend"])
                request.body = Data(
                    Document.object([
                        "from": .string(InstantText.rfc3339(from)),
                        "to": .string(InstantText.rfc3339(to)),
                    ]).canonicalBytes)
            default:
                throw ClientFailure(.usage, "give --message, or --from and --to")
            }
            try show(try await client.answer(request), client, connection)
        }
    }
}
