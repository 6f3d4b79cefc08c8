import ArgumentParser
import Foundation

struct AlertsCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "alerts",
        abstract: "List threshold crossings, oldest first.",
        discussion: """
            EXAMPLES
              tollgate alerts --customer acme
              tollgate alerts --since 2026-11-01T00:00:00Z --all --json

            \(CommandExit.help)
            """)

    @Option(help: "Only this customer's.")
    var customer: String?

    @Option(help: "Only from this time on (RFC 3339).")
    var since: String?

    @OptionGroup var page: PageOptions
    @OptionGroup var connection: ConnectionOptions

    func perform(_ client: APIClient) async throws(ClientFailure) {
        var query: [(name: String, value: String)] = []
        if let customer { query.append(("customer", customer)) }
        if let since { query.append(("since", since)) }
        let pages = page.reader(["v1", "alerts"], query)
        var table = TextTable([
            ("CROSSED", .left), ("CUSTOMER", .left), ("FEATURE", .left), ("THRESHOLD", .right),
            ("USED", .right), ("LIMIT", .right), ("RESOLVED", .left),
        ])
        let next = try await pages.read(client) { (data) throws(ClientFailure) in
            if connection.json { Terminal.result(json: data) }
            let page = try client.decoded(AlertsAnswer.self, from: data)
            for alert in page.alerts {
                table.add([
                    alert.crossedAt, alert.customer, alert.feature, alert.threshold,
                    alert.usedAfter.description, alert.limit?.description ?? "unlimited",
                    alert.resolvedAt ?? "",
                ])
            }
            return page.next
        }
        if connection.json { return }
        table.show(orSay: "no alerts", next: next)
    }
}
