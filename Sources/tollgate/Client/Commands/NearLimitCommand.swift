import ArgumentParser
import Foundation
import MeteringModel

struct NearLimitCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "near-limit",
        abstract: "List customers by the share of a limit that they have used.",
        discussion: """
            EXAMPLES
              tollgate near-limit                     from 80 % on
              tollgate near-limit --over 1 --all      everybody at or over a limit
              tollgate near-limit --owner mia --plan pro

            \(CommandExit.help)
            """)

    @Option(help: "Least share of the limit, 0.8 for 80 %.")
    var over = "0.8"

    @Option(help: "Only this customer.") var customer: String?
    @Option(help: "Only this feature.") var feature: String?
    @Option(help: "Only customers with this plan.") var plan: String?
    @Option(help: "Only customers with this owner.") var owner: String?

    @Option(help: "Rows of a page (1 … 1000).")
    var limit = 50

    @Option(help: "Go on after the page whose answer named this cursor.")
    var cursor: String?

    @Flag(help: "Every page, not only the first.")
    var all = false

    @OptionGroup var connection: ConnectionOptions

    func validate() throws {
        guard JSONNumber.isValid(over) else {
            throw ValidationError("--over: \(over) is not a number.")
        }
        if let share = Double(over), share > 10 {
            throw ValidationError(
                "--over: \(over) means \(over) times the limit; did you mean \(share / 100)?")
        }
    }

    func perform(_ client: APIClient) async throws(ClientFailure) {
        var query: [(name: String, value: String)] = [("over", over)]
        for (name, value) in [
            ("customer", customer), ("feature", feature), ("plan", plan), ("owner", owner),
        ] {
            if let value { query.append((name, value)) }
        }
        let pages = PageReader(
            path: ["v1", "near-limit"], query: query, limit: limit, cursor: cursor, readsAll: all)
        var table = TextTable([
            ("CUSTOMER", .left), ("FEATURE", .left), ("PLAN", .left), ("USED", .right),
            ("LIMIT", .right), ("SHARE", .right), ("CAP", .left), ("CAP REACHED", .left),
        ])
        let next = try await pages.read(client) { (data) throws(ClientFailure) in
            if connection.json { Terminal.result(json: data) }
            let page = try client.decoded(NearLimitAnswer.self, from: data)
            for entry in page.entries {
                table.add([
                    entry.customer, entry.feature, entry.plan ?? "", entry.used.description,
                    entry.limit.description, Self.percent(entry.share.text),
                    entry.enforcement ?? "", entry.projectedExhaustion ?? "",
                ])
            }
            return page.next
        }
        if connection.json { return }
        table.show(orSay: "nobody is at \(Self.percent(over)) or over", next: next)
    }

    /// `0.8123` as `81.2 %`, as `ShareText` rounds.
    static func percent(_ share: String) -> String {
        guard let basisPoints = try? DecimalQuantity(share).units(scale: 4) else { return share }
        let tenths = ShareText.tenths(basisPoints: basisPoints)
        return TextTable.grouped(String(tenths / 10)) + ".\(abs(tenths % 10)) %"
    }
}
