import MeteringModel

/// A statement as people read it.
enum StatementText {
    static func heading(_ statement: Document) -> String {
        let state = text(statement, "state")
        let period = statement["period"]
        var lines = [
            "\(text(statement, "customer"))  \(text(statement, "month"))  \(state)",
            "\(text(period, "start")) – \(text(period, "end")), \(text(statement, "time_zone"))",
        ]
        if let closedAt = statement["closed_at"]?.text {
            let reason = statement["reason"]?.text.map { ": \($0)" } ?? ""
            lines.append("closed \(closedAt) by \(text(statement, "closed_by"))\(reason)")
        }
        for cause in statement["waiting"]?.elements ?? [] {
            lines.append("to be looked at again: \(text(cause, "kind")) \(text(cause, "id"))")
        }
        return lines.map(TextTable.printable).joined(separator: "\n")
    }

    static func table(_ lines: [Document]) -> String {
        var table = TextTable([
            ("WHAT", .left), ("FOR", .left), ("FROM", .left), ("TO", .left), ("QUANTITY", .right),
            ("INCLUDED", .right), ("UNIT PRICE", .right), ("AMOUNT", .right), ("", .left),
            ("PRICE FROM", .left),
        ])
        for line in lines {
            table.add([
                text(line, "kind"), what(line), text(line, "from"), text(line, "to"),
                number(line, "quantity"), number(line, "included_quantity"),
                text(line, "unit_price"), number(line, "amount"), text(line, "currency"),
                text(line, "source"),
            ])
        }
        return table.text
    }

    static func totals(_ statement: Document) -> String {
        let due = amounts(statement["totals"])
        var text = "total      " + (due.isEmpty ? "nothing" : due)
        let later = amounts(statement["so_far_totals"])
        if !later.isEmpty { text += "\nso far     " + later }
        return text
    }

    private static func amounts(_ totals: Document?) -> String {
        (totals?.elements ?? []).map { "\(number($0, "amount")) \(text($0, "currency"))" }
            .joined(separator: ", ")
    }

    // MARK: one line

    /// How its amount came about; nil when the table says it all.
    static func explanation(_ line: Document) -> String? {
        var rows: [String] = []
        let parts = line["parts"]?.elements ?? []
        if parts.count > 1 || parts.first?["kind"]?.text != "unit" { rows += parts.map(part) }
        if let share = line["proration"] {
            rows.append(
                "for \(number(share, "seconds")) of \(number(share, "of_seconds")) seconds")
        }
        if let exact = line["exact_amount"]?.text, exact != line["amount"]?.text {
            let rule = line["rounding"]?.text.map { " (\($0))" } ?? ""
            rows.append("exactly \(exact), rounded\(rule) to \(number(line, "amount"))")
        }
        if let usage = line["usage"] {
            rows.append(
                "usage of the period \(number(usage, "before")) → \(number(usage, "after"))"
                    + (usage["limit"].map { ", limit \($0.digits ?? "")" } ?? ""))
        }
        if let corrected = line["corrects"]?.text {
            rows.append(
                "\(corrected): \(number(line, "amount_before")) was billed, "
                    + "\(number(line, "amount_after")) is right")
            for cause in line["causes"]?.elements ?? [] {
                rows.append(
                    "because of \(text(cause, "kind")) \(text(cause, "id")) at \(text(cause, "at"))"
                )
            }
        }
        let days = line["rollups"]?.elements ?? []
        rows += days.map {
            "\(text($0, "start"))  \(number($0, "value"))  (\(number($0, "events")) events)"
        }
        if !days.isEmpty { rows.append("together \(number(line, "rollups_total"))") }
        if rows.isEmpty { return nil }
        return ([text(line, "id") + "  " + what(line)] + rows.map { "  " + $0 })
            .map(TextTable.printable).joined(separator: "\n")
    }

    private static func part(_ part: Document) -> String {
        var text = self.text(part, "kind")
        if let above = part["above"]?.digits {
            let end = part["up_to"]?.digits.map { " up to \(TextTable.grouped($0))" } ?? ""
            text += " above \(TextTable.grouped(above))\(end)"
        }
        if let quantity = part["quantity"]?.digits, let unit = part["unit_price"]?.text {
            text += ": \(TextTable.grouped(quantity)) × \(unit)"
        }
        if let flat = part["flat"]?.text { text += " + \(flat)" }
        return text + " = \(self.text(part, "amount"))"
    }

    private static func what(_ line: Document) -> String {
        line["feature"]?.text ?? line["item"]?.text ?? ""
    }

    private static func text(_ document: Document?, _ name: String) -> String {
        document?[name]?.text ?? ""
    }

    private static func number(_ document: Document?, _ name: String) -> String {
        TextTable.grouped(document?[name]?.digits ?? "")
    }
}
