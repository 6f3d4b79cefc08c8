import ArgumentParser
import Foundation
import MeteringModel

struct StatementCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "statement",
        abstract: "Explain what a customer owes for a month, line by line.",
        discussion: """
            Each line of usage is shown with the tiers that made its amount, the amount before it \
            was rounded, and the days that its usage came from. An open month is shown as it stands \
            now; periods that still run come last and are not due yet.

            EXAMPLES
              tollgate statement acme                          this month, so far
              tollgate statement acme --period 2026-10
              tollgate statement acme --period 2026-10 --events

            \(CommandExit.help)
            """)

    @Argument(help: "The customer.")
    var customer: String

    @Option(help: ArgumentHelp("The month, YYYY-MM; this one when absent.", valueName: "month"))
    var period: String?

    @Flag(help: "Every event under every line of usage, read from the log.")
    var events = false

    @OptionGroup var connection: ConnectionOptions

    func validate() throws {
        if let period, BillingMonth(period) == nil {
            throw ValidationError("--period: \(period) is no month; write it as 2026-11.")
        }
    }

    func perform(_ client: APIClient) async throws(ClientFailure) {
        let path = ["v1", "customers", customer, "statements", period ?? Self.thisMonth]
        let data = try await client.answer(
            APIRequest(.get, path, query: [("explain", "true")], timeoutSeconds: 120))
        if connection.json { Terminal.result(json: data) }
        let statement = try client.document(data)
        if !connection.json { Terminal.result(StatementText.heading(statement)) }
        for (name, title) in [("lines", "DUE"), ("so_far", "SO FAR, NOT DUE YET")] {
            let lines = statement[name]?.elements ?? []
            if lines.isEmpty { continue }
            if !connection.json { Terminal.result("\n\(title)\n\(StatementText.table(lines))") }
            for line in lines {
                if !connection.json, let text = StatementText.explanation(line) {
                    Terminal.result("\n" + text)
                }
                if events { try await showEvents(path, line, client) }
            }
        }
        if !connection.json { Terminal.result("\n" + StatementText.totals(statement)) }
    }

    /// The server knows which month is the customer's; near midnights of the month it may be another
    /// than UTC's, and then the period is to be named.
    private static var thisMonth: String {
        let now = Timestamp(seconds: Int64(Date().timeIntervalSince1970))
        return BillingMonth(containing: now, zone: .utc).description
    }

    private func showEvents(
        _ path: [String], _ line: Document, _ client: APIClient
    ) async throws(ClientFailure) {
        guard let id = line["id"]?.text, line["meter"]?.text != nil else { return }
        let pages = PageReader(
            path: path + ["events"], query: [("line", id)], limit: 1_000, cursor: nil,
            readsAll: true)
        var table = TextTable([
            ("TIME", .left), ("SUBJECT", .left), ("VALUE", .right), ("SOURCE", .left),
            ("ID", .left), ("VOIDED BY", .left),
        ])
        _ = try await pages.readItems(client, connection) { event in
            table.add([
                event["time"]?.text ?? "", event["subject"]?.text ?? "",
                TextTable.grouped(event["value"]?.digits ?? ""), event["source"]?.text ?? "",
                event["id"]?.text ?? "", event["voided_by"]?.text ?? "",
            ])
        }
        if connection.json { return }
        Terminal.result("\n\(id): " + (table.isEmpty ? "no events" : "events\n" + table.text))
    }
}
