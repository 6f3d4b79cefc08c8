import ArgumentParser
import Foundation

struct DeadLettersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dead-letters",
        abstract: "Events that could not be counted: list them, count them after all.",
        subcommands: [DeadLettersListCommand.self, DeadLettersRedriveCommand.self])
}

/// A dead letter is wrong in itself; a quarantined event waits for its subject to be known.
enum SetAsideKind: String, ExpressibleByArgument, CaseIterable {
    case deadLetter = "dead_letter"
    case quarantine
}

struct DeadLettersListCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List set-aside events with the reason and their place in the log.",
        discussion: """
            EXAMPLE
              tollgate dead-letters list --kind quarantine

            \(CommandExit.help)
            """)

    @Option(help: "Only this kind.")
    var kind: SetAsideKind?

    @OptionGroup var page: PageOptions
    @OptionGroup var connection: ConnectionOptions

    func perform(_ client: APIClient) async throws(ClientFailure) {
        let pages = page.reader(
            ["v1", "dead-letters"], kind.map { [("kind", $0.rawValue)] } ?? [])
        var table = TextTable([
            ("NUMBER", .right), ("KIND", .left), ("POSITION", .left), ("APPENDED", .left),
            ("REASON", .left), ("SUBJECT", .left), ("DETAIL", .left),
        ])
        let next = try await pages.read(client) { (data) throws(ClientFailure) in
            if connection.json { Terminal.result(json: data) }
            let page = try client.decoded(DeadLettersAnswer.self, from: data)
            for event in page.events {
                table.add([
                    String(event.sequence), event.kind, "\(event.partition):\(event.offset)",
                    event.appendedAt ?? "", event.reason, event.subject ?? "", event.detail ?? "",
                ])
            }
            return page.next
        }
        if connection.json { return }
        table.show(orSay: "nothing is set aside", next: next)
    }
}

struct DeadLettersRedriveCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "redrive",
        abstract: "Append set-aside events to the log again, to be counted now.",
        discussion: """
            EXAMPLE
              tollgate dead-letters redrive --kind quarantine

            Their ids stay, so none is counted twice. What is still wrong is set aside again.

            \(CommandExit.help)
            """)

    @Option(help: "Only this kind.")
    var kind: SetAsideKind?

    @Option(help: "At most so many.")
    var limit = 1_000

    @OptionGroup var connection: ConnectionOptions

    func perform(_ client: APIClient) async throws(ClientFailure) {
        var members = [JSONValue.Member(name: "limit", value: .integer(limit))]
        if let kind { members.insert(.init(name: "kind", value: .string(kind.rawValue)), at: 0) }
        let data = try await client.answer(
            .post(["v1", "dead-letters", "redrive"], json: .object(members), timeoutSeconds: 300))
        if connection.json { return Terminal.result(json: data) }
        let answer = try client.decoded(RedriveAnswer.self, from: data)
        Terminal.result("redriven \(answer.redriven)")
    }
}
