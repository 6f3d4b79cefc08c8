import ArgumentParser
import Foundation
import MeteringModel

struct SimulatePlanCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate-plan",
        abstract: "Score past usage again under a draft of the catalog; changes nothing.",
        discussion: """
            Subscriptions on plans that the draft changes take the draft's version through all of
            the time asked for. Quota periods that end in it count, and fees that fall due in it.
            All past usage counts, as if nothing had been refused: REFUSED says how much of it the
            draft's hard limits would have stopped.

            EXAMPLES
              tollgate simulate-plan -f draft.yaml --from 2026-10-01 --to 2026-11-01
              tollgate simulate-plan -f draft.yaml --from 2026-10-01 --to 2026-11-01 \\
                --json > customers.ndjson

            Progress goes to stderr. --json prints a document a customer and line, and at last one
            with the totals.

            \(CommandExit.help)
            """)

    @Option(name: .shortAndLong, help: "The draft (YAML); - reads stdin.") var file: String
    @Option(help: "First instant: RFC 3339, or a date in UTC.") var from: String
    @Option(help: "First instant after.") var to: String
    @Option(help: "Only this customer.") var customer: String?
    @Option(help: "Customers of a page (1 … 500).") var limit = 100
    @Option(help: ArgumentHelp("Longest wait for a page.", valueName: "seconds"))
    var timeout = 300
    @OptionGroup var connection: ConnectionOptions

    func perform(_ client: APIClient) async throws(ClientFailure) {
        let body = try readInput(file)
        var totals = SimulationTotals()
        var table = TextTable([
            ("CUSTOMER", .left), ("PLAN", .left), ("LIVE", .right), ("DRAFT", .right),
            ("DIFFERENCE", .right), ("", .left), ("WARNED", .right), ("STOPPED", .right),
            ("REFUSED", .right),
        ])
        var cursor: String?
        repeat {
            let page = try await page(client, body, cursor)
            if cursor == nil { tell(page["notes"]) }
            for item in page["items"]?.elements ?? [] {
                totals.add(item)
                if connection.json {
                    Terminal.result(json: Data(item.canonicalBytes))
                } else {
                    for cells in SimulationTotals.rows(item) { table.add(cells) }
                }
                for note in item["notes"]?.elements ?? [] {
                    tell(.array([.string("\(item["customer"]?.text ?? ""): \(note.text ?? "")")]))
                }
            }
            showProgress(page)
            let next = page["next"]?.text
            // A server that names the same page again would keep us here for ever.
            cursor = next == cursor ? nil : next
        } while cursor != nil
        if Terminal.showsProgress { Terminal.transient("") }
        if connection.json {
            return Terminal.result(json: Data(totals.document.canonicalBytes))
        }
        for cells in totals.rows { table.add(cells) }
        Terminal.result(table.text)
    }

    private func page(
        _ client: APIClient, _ body: Data, _ cursor: String?
    ) async throws(ClientFailure) -> Document {
        var query = [
            ("from", InstantText.rfc3339(from)), ("to", InstantText.rfc3339(to)),
            ("limit", String(limit)),
        ]
        if let customer { query.append(("customer", customer)) }
        if let cursor { query.append(("cursor", cursor)) }
        let reply = try await client.exchange(
            APIRequest(
                .post, ["v1", "simulations"], query: query, body: body,
                contentType: "application/yaml", timeoutSeconds: Double(timeout)))
        guard (200..<300).contains(reply.status) else { throw CatalogFailure.make(file, reply) }
        return try client.document(reply.body)
    }

    private func tell(_ notes: Document?) {
        for note in notes?.elements ?? [] {
            Terminal.message("note: \(TextTable.printable(note.text ?? ""))")
        }
    }

    private func showProgress(_ page: Document) {
        guard Terminal.showsProgress, let done = page["done"]?.integer,
            let total = page["total"]?.integer
        else { return }
        Terminal.transient(
            "\(TextTable.grouped(String(done))) of \(TextTable.grouped(String(total))) customers")
    }
}

/// Sums over all customers, by currency.
struct SimulationTotals {
    private var live: [String: ExactDecimal] = [:]
    private var draft: [String: ExactDecimal] = [:]
    private var customerCount = 0
    private var warned = (live: 0, draft: 0)
    private var stopped = (live: 0, draft: 0)

    mutating func add(_ item: Document) {
        customerCount += 1
        for money in item["revenue"]?.elements ?? [] {
            let currency = money["currency"]?.text ?? ""
            Self.add(money["live"]?["total"], to: &live[currency, default: .zero])
            Self.add(money["draft"]?["total"], to: &draft[currency, default: .zero])
        }
        func isThere(_ name: String, _ side: String) -> Int {
            item[name]?[side]?.elements?.isEmpty ?? true ? 0 : 1
        }
        warned.live += isThere("warned", "live")
        warned.draft += isThere("warned", "draft")
        stopped.live += isThere("stopped", "live")
        stopped.draft += isThere("stopped", "draft")
    }

    /// Sums of amounts of at most 64 bits: they fit.
    private static func add(_ amount: Document?, to sum: inout ExactDecimal) {
        guard let amount = amount?.text.flatMap({ ExactDecimal($0) }) else { return }
        sum = sum.adding(amount) ?? sum
    }

    private var currencies: [String] { Set(live.keys).union(draft.keys).sorted() }

    private func text(_ amount: ExactDecimal?, _ currency: String) -> String {
        (amount ?? .zero).text(placesMin: Currency(currency)?.minorUnitPlaces ?? 0)
    }

    private func difference(_ currency: String) -> ExactDecimal? {
        (draft[currency] ?? .zero).subtracting(live[currency] ?? .zero)
    }

    var document: Document {
        .object([
            "total": .bool(true), "customers": .integer(customerCount),
            "revenue": .array(
                currencies.map { currency in
                    .object([
                        "currency": .string(currency),
                        "live": .string(text(live[currency], currency)),
                        "draft": .string(text(draft[currency], currency)),
                        "difference": .string(text(difference(currency), currency)),
                    ])
                }),
            "warned": .object(["live": .integer(warned.live), "draft": .integer(warned.draft)]),
            "stopped": .object([
                "live": .integer(stopped.live), "draft": .integer(stopped.draft),
            ]),
        ])
    }

    /// One line a currency; counts are of customers, `live → draft`.
    var rows: [[String]] {
        (currencies.isEmpty ? [""] : currencies).map { currency in
            [
                "total (\(customerCount))", "", text(live[currency], currency),
                text(draft[currency], currency), text(difference(currency), currency), currency,
                "\(warned.live) → \(warned.draft)", "\(stopped.live) → \(stopped.draft)", "",
            ]
        }
    }

    /// One line a currency of one customer; counts are of crossings and periods.
    static func rows(_ item: Document) -> [[String]] {
        func count(_ name: String) -> String {
            let sides = ["live", "draft"].map { item[name]?[$0]?.elements?.count ?? 0 }
            return sides == [0, 0] ? "" : "\(sides[0]) → \(sides[1])"
        }
        let refused = (item["stopped"]?["draft"]?.elements ?? []).compactMap { stop in
            stop["refused"]?.digits.map {
                "\(TextTable.grouped($0)) \(stop["feature"]?.text ?? "")"
            }
        }
        let money = item["revenue"]?.elements ?? []
        return (money.isEmpty ? [.null] : money).map { money in
            [
                item["customer"]?.text ?? "", item["plan"]?.text ?? "",
                money["live"]?["total"]?.text ?? "", money["draft"]?["total"]?.text ?? "",
                money["difference"]?.text ?? "", money["currency"]?.text ?? "", count("warned"),
                count("stopped"), refused.joined(separator: ", "),
            ]
        }
    }
}
