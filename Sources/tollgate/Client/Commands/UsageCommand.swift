import ArgumentParser
import Foundation

struct UsageCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "usage",
        abstract: "Show a customer's usage per hour, day or month; or everybody's totals.",
        discussion: """
            EXAMPLES
              tollgate usage acme --feature tokens --window day
              tollgate usage acme --feature meter:tokens --group-by model
              tollgate usage                                  totals per customer and meter

            \(CommandExit.help)
            """)

    enum Window: String, ExpressibleByArgument, CaseIterable { case hour, day, month }

    @Argument(help: "The customer; without one, the totals of all.")
    var customer: String?

    @Option(help: "A feature, or meter:KEY; required with a customer.")
    var feature: String?

    @Option(help: "From this time on (RFC 3339).")
    var from: String?

    @Option(help: "Before this time (RFC 3339).")
    var to: String?

    @Option(help: "Width of a row.")
    var window = Window.day

    @Option(help: "Dimension to split by; may be repeated.")
    var groupBy: [String] = []

    @OptionGroup var connection: ConnectionOptions

    func validate() throws {
        if (customer == nil) != (feature == nil) {
            throw ValidationError("A customer needs --feature, and --feature needs a customer.")
        }
    }

    func perform(_ client: APIClient) async throws(ClientFailure) {
        guard let customer, let feature else { return try await totals(client) }
        var query: [(name: String, value: String)] = [
            ("feature", feature), ("window", window.rawValue),
        ]
        if let from { query.append(("from", from)) }
        if let to { query.append(("to", to)) }
        if !groupBy.isEmpty { query.append(("group_by", groupBy.joined(separator: ","))) }
        let data = try await client.answer(
            APIRequest(.get, ["v1", "customers", customer, "usage"], query: query))
        if connection.json { return Terminal.result(json: data) }
        let answer = try client.decoded(UsageAnswer.self, from: data)
        var table = TextTable(
            [("START", .left), ("END", .left)] + groupBy.map { ($0.uppercased(), .left) }
                + [("VALUE" + (answer.unit.map { " (\($0))" } ?? ""), .right)])
        for row in answer.windows {
            let group = groupBy.map { row.group?[$0] ?? "" }
            table.add([row.start, row.end] + group + [row.value.description])
        }
        if table.isEmpty {
            Terminal.message("no usage in this time")
        } else {
            Terminal.result(table.text)
        }
        if let to = answer.usageCompleteTo { Terminal.message("complete to \(to)") }
    }

    private func totals(_ client: APIClient) async throws(ClientFailure) {
        let data = try await client.answer(
            APIRequest(.get, ["v1", "totals"], timeoutSeconds: 300))
        if connection.json { return Terminal.result(json: data) }
        let answer = try client.decoded(TotalsAnswer.self, from: data)
        var table = TextTable([
            ("CUSTOMER", .left), ("METER", .left), ("EVENTS", .right), ("VALUE", .right),
        ])
        for total in answer.totals {
            table.add([
                total.customer, total.meter, total.count.description, total.value.description,
            ])
        }
        if table.isEmpty { return Terminal.message("no usage yet") }
        Terminal.result(table.text)
    }
}
