import ArgumentParser
import Foundation
import MeteringModel

struct EndpointsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "endpoints",
        abstract: "Where alerts go: webhooks, Slack, Kafka topics, and what became of them.",
        subcommands: [
            List.self, Put.self, Delete.self, Secret.self, Test.self, Deliveries.self,
            Resend.self, Enable.self,
        ])

    static let path = ["v1", "alert-endpoints"]

    struct List: ClientCommand {
        static let configuration = CommandConfiguration(abstract: "Endpoints, and how they fare.")
        @OptionGroup var connection: ConnectionOptions

        func perform(_ client: APIClient) async throws(ClientFailure) {
            let pages = PageReader(
                path: EndpointsCommand.path, query: [], limit: 1_000, cursor: nil, readsAll: true)
            var table = TextTable([
                ("ID", .left), ("KIND", .left), ("TO", .left), ("STATE", .left),
                ("WAITING", .right), ("NOTE", .left),
            ])
            let next = try await pages.readItems(client, connection) { item in
                let status = item["status"]
                table.add([
                    item["id"]?.text ?? "", item["kind"]?.text ?? "",
                    item["url"]?.text ?? item["topic"]?.text ?? "",
                    status?["state"]?.text ?? "", status?["waiting"]?.digits ?? "",
                    status?["disabled_reason"]?.text ?? status?["next_attempt_at"]?.text.map {
                        "next attempt \($0)"
                    } ?? "",
                ])
            }
            if connection.json { return }
            table.show(orSay: "no endpoints: alerts go nowhere", next: next)
        }
    }

    struct Put: ClientCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make an endpoint, or replace it. A webhook's first secret is printed once.",
            discussion: """
                EXAMPLES
                  tollgate endpoints put ops --url https://hooks.example.com/tollgate
                  tollgate endpoints put sales --file endpoint.json
                  tollgate endpoints put cs --json-text '{"kind":"slack",
                    "url":"https://hooks.slack.com/services/…","filter":{"owners":["ada"]}}'

                \(CommandExit.help)
                """)
        @Argument(help: "The endpoint's id.") var id: String
        @Option(help: "A webhook's address; instead of a document.") var url: String?
        @OptionGroup var input: DocumentOptions
        @OptionGroup var change: ChangeOptions
        @OptionGroup var connection: ConnectionOptions

        func perform(_ client: APIClient) async throws(ClientFailure) {
            let body: Document
            if let url {
                if input.file != nil || input.jsonText != nil {
                    throw ClientFailure(.usage, "give --url or a document, not both")
                }
                body = .object(["kind": .string("webhook"), "url": .string(url)])
            } else {
                body = try input.read()
            }
            let data = try await client.change(
                .put, EndpointsCommand.path + [id], change, body: body)
            try show(data, client, connection)
        }
    }

    struct Delete: ClientCommand {
        static let configuration = CommandConfiguration(
            abstract: "End an endpoint; what waits for it is cancelled.")
        @Argument(help: "The endpoint's id.") var id: String
        @OptionGroup var change: ChangeOptions
        @OptionGroup var connection: ConnectionOptions

        func perform(_ client: APIClient) async throws(ClientFailure) {
            let data = try await client.change(.delete, EndpointsCommand.path + [id], change)
            try show(data, client, connection)
        }
    }

    struct Secret: ClientCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make another signing secret; the one before signs too for 24 hours.")
        @Argument(help: "The endpoint's id.") var id: String
        @OptionGroup var options: CommandOptions
        @OptionGroup var connection: ConnectionOptions

        func perform(_ client: APIClient) async throws(ClientFailure) {
            let data = try await client.answer(
                options.request(EndpointsCommand.path + [id, "secret"]))
            if connection.json { return Terminal.result(json: data) }
            let answer = try client.document(data)
            Terminal.result(answer["secret"]?.text ?? "")
            Terminal.message("the secret above is not shown again")
        }
    }

    struct Test: ClientCommand {
        static let configuration = CommandConfiguration(
            abstract: "Send one message now; exit 0 when it was taken, 75 when not.")
        @Argument(help: "The endpoint's id.") var id: String
        @OptionGroup var options: CommandOptions
        @OptionGroup var connection: ConnectionOptions

        func perform(_ client: APIClient) async throws(ClientFailure) {
            let data = try await client.answer(
                options.request(EndpointsCommand.path + [id, "test"]))
            try show(data, client, connection)
            let answer = try client.document(data)
            if answer["delivered"]?.flag != true {
                throw ClientFailure(
                    .retryLater, TextTable.printable(answer["detail"]?.text ?? "not delivered"))
            }
        }
    }

    struct Enable: ClientCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take a disabled or failing endpoint up again, at once.")
        @Argument(help: "The endpoint's id.") var id: String
        @OptionGroup var options: CommandOptions
        @OptionGroup var connection: ConnectionOptions

        func perform(_ client: APIClient) async throws(ClientFailure) {
            let data = try await client.answer(
                options.request(EndpointsCommand.path + [id, "enable"]))
            try show(data, client, connection)
        }
    }
}
