import ArgumentParser

/// How much of a list is asked for, and from where on.
struct PageOptions: ParsableArguments {
    @Option(help: "Rows of a page (1 … 1000).")
    var limit = 100

    @Option(help: "Go on after the page whose answer named this cursor.")
    var cursor: String?

    @Flag(help: "Every page, not only the first.")
    var all = false

    func reader(
        _ path: [String], _ query: [(name: String, value: String)] = []
    ) -> PageReader {
        PageReader(path: path, query: query, limit: limit, cursor: cursor, readsAll: all)
    }
}
