import ArgumentParser
import Foundation
import MeteringModel

struct BillingCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "billing", abstract: "Close months, and check what was billed.",
        subcommands: [CloseMonth.self, CheckBilling.self])
}

extension BillingCommand {
    struct CloseMonth: ClientCommand {
        static let configuration = CommandConfiguration(
            commandName: "close",
            abstract: "Close a month that is over, before its grace for late events is.",
            discussion: """
                Months are closed by themselves when their grace is over. What comes to light after \
                closing becomes an adjustment on the next statement.

                EXAMPLES
                  tollgate billing close 2026-10 --reason "invoices go out today"
                  tollgate billing close 2026-10 --customer acme --reason "leaves us"

                \(CommandExit.help)
                """)

        @Argument(help: "The month, YYYY-MM.")
        var month: String

        @Option(help: "Only this one's.")
        var customer: String?

        @OptionGroup var command: CommandOptions
        @OptionGroup var connection: ConnectionOptions

        func validate() throws {
            if BillingMonth(month) == nil {
                throw ValidationError("\(month) is no month; write it as 2026-10.")
            }
            if command.reason == nil { throw ValidationError("--reason says why; it is kept.") }
        }

        func perform(_ client: APIClient) async throws(ClientFailure) {
            var request = command.request(
                ["v1", "billing", "months", month, "close"], timeoutSeconds: 3_600)
            if let customer { request.query.append(("customer", customer)) }
            let data = try await client.answer(request)
            if connection.json { return Terminal.result(json: data) }
            let answer = try client.document(data)
            let before = answer["closed_before"]?.digits ?? "0"
            Terminal.result(
                "\(month): \(answer["closed"]?.digits ?? "0") statements closed, "
                    + "\(before) were closed before or had nothing to bill")
        }
    }

    struct CheckBilling: ClientCommand {
        static let configuration = CommandConfiguration(
            commandName: "check",
            abstract: "Compare what was billed with what ledger and contracts come to now.",
            discussion: """
                DRIFT is money: a charge whose lines and adjustments do not add up to its rating. \
                MISMATCH is everything that finance should look at: what is given and not billed, \
                billed and not given, seats billed against seats bought, usage over a soft limit \
                that has no price, usage that two levels of one tree pay for. Months that are \
                still to be looked at again are counted as waiting. Ends with 3 when there is drift.

                EXAMPLES
                  tollgate billing check
                  tollgate billing check --period 2026-10 --json

                \(CommandExit.help)
                """)

        @Option(help: ArgumentHelp("Only this month, YYYY-MM.", valueName: "month"))
        var period: String?

        @Option(help: "Only this one.")
        var customer: String?

        @Option(help: "Give up after so many seconds.")
        var timeout = 3_600

        @OptionGroup var connection: ConnectionOptions

        func perform(_ client: APIClient) async throws(ClientFailure) {
            var query: [(name: String, value: String)] = []
            if let period { query.append(("month", period)) }
            if let customer { query.append(("customer", customer)) }
            let data = try await client.answer(
                APIRequest(
                    .get, ["v1", "billing", "check"], query: query,
                    timeoutSeconds: Double(timeout)))
            let answer = try client.document(data)
            if connection.json { Terminal.result(json: data) } else { show(answer) }
            if answer["drift_count"]?.integer != 0 { throw ClientFailure(.driftFound) }
        }

        private func show(_ answer: Document) {
            let checked = answer["checked"]
            Terminal.result(
                """
                customers   \(checked?["customers"]?.digits ?? "0")
                months      \(checked?["months"]?.digits ?? "0")
                lines       \(checked?["lines"]?.digits ?? "0")
                drifts      \(answer["drift_count"]?.digits ?? "0")
                mismatches  \(answer["mismatch_count"]?.digits ?? "0")
                waiting     \(answer["waiting_count"]?.digits ?? "0")
                """)
            var drifts = TextTable([
                ("CUSTOMER", .left), ("MONTH", .left), ("WHAT", .left), ("BILLED", .right),
                ("RATED", .right), ("", .left),
            ])
            for drift in answer["drifts"]?.elements ?? [] {
                func text(_ name: String) -> String { drift[name]?.text ?? "" }
                drifts.add([
                    text("customer"), text("month"),
                    drift["feature"]?.text ?? drift["item"]?.text ?? "", text("billed"),
                    text("rated"), text("currency"),
                ])
            }
            if !drifts.isEmpty { Terminal.result("\n" + drifts.text) }
            var found = TextTable([
                ("MISMATCH", .left), ("CUSTOMER", .left), ("MONTH", .left), ("DETAIL", .left),
            ])
            let shown: Set = ["kind", "customer", "month"]
            for mismatch in answer["mismatches"]?.elements ?? [] {
                func text(_ name: String) -> String { mismatch[name]?.text ?? "" }
                let rest = (mismatch.object ?? [:]).filter { !shown.contains($0.key) }
                found.add([
                    text("kind"), text("customer"), text("month"),
                    Document.object(rest).canonicalText,
                ])
            }
            if !found.isEmpty { Terminal.result("\n" + found.text) }
        }
    }
}
