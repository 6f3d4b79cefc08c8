package import MeteringPorts
import SQLClient

/// The embedded event log: one SQLite file, one partition (0), offsets from 0 upward without gaps.
///
/// Appends are committed in groups: one thread takes everything that has queued up while the last
/// commit was under way, writes it in one transaction, fsyncs once and answers all of them.
package final class EventJournal: EventLogWriter {
    package struct Options: Sendable {
        /// Appends waiting for the disk; beyond it `append` throws `.overloaded`.
        package var queueBytesMax = 64 << 20
        /// One transaction takes no more than this, so that no append waits for a huge one.
        package var groupBytesMax = 8 << 20
        /// A larger record is refused with `.tooLarge`.
        package var recordBytesMax = 1 << 20
        /// Bound of the file; beyond it appends fail with `.full`. Nil: the disk's.
        package var databaseBytesMax: Int64?
        package init() {}
    }

    private let path: String
    private let options: Options
    private let queue: JournalQueue
    private let tail: JournalTail
    private let thread: OwnedThread

    /// Opens the journal, making the file where it is missing, and takes the exclusive lock
    /// `journal.lock` in the file's directory.
    /// - Throws: `.misconfigured` when another process has the journal or the file cannot be
    ///   opened, `.corrupt`, `.full` or `.unreachable` as the file system has it.
    package init(
        path: String, clock: WallClock, options: Options = Options()
    ) throws(EventLogError) {
        self.path = path
        self.options = options
        let queue = JournalQueue(bytesMax: options.queueBytesMax)
        do {
            let store = try JournalStore(path: path, options: options, clock: clock)
            let tail = JournalTail(endOffset: store.nextOffset)
            thread = try OwnedThread(name: "journal") {
                JournalCommitter(
                    store: store, queue: queue, tail: tail, groupBytesMax: options.groupBytesMax
                ).run()
            }
            self.tail = tail
        } catch {
            throw EventLogError(error, path: path)
        }
        self.queue = queue
    }

    /// Without `close` the thread still finishes what is queued, then ends by itself.
    deinit { queue.close() }

    /// Offset after the last durable record.
    package var endOffset: Int64 { tail.endOffset }

    package func append(_ records: [LogAppend]) async throws(EventLogError) -> [LogPosition] {
        if records.isEmpty { return [] }
        var bytes = 0
        for record in records {
            let size = JournalStore.size(of: record)
            if size > options.recordBytesMax {
                throw EventLogError(
                    code: .tooLarge,
                    message:
                        "a record of \(size) bytes; at most \(options.recordBytesMax) are taken")
            }
            bytes += size
        }
        if bytes > options.queueBytesMax {
            throw EventLogError(
                code: .tooLarge,
                message: "\(bytes) bytes in one call; at most \(options.queueBytesMax) are taken")
        }
        let first = try await queue.commit(records, bytes: bytes).get()
        return records.indices.map { LogPosition(partition: 0, offset: first + Int64($0)) }
    }

    /// Gives the space of old records back to the journal, in small steps between appends.
    /// The newest record always stays, since it holds the next offset.
    /// - Parameter offset: the first record to keep.
    package func dropRecords(before offset: Int64) async throws(EventLogError) {
        try await queue.dropRecords(before: offset).get()
    }

    package func close() async {
        await queue.closeAndWait()
        thread.join()
    }

    /// A reader that wakes up at each commit of this journal.
    package func makeReader() throws(EventLogError) -> sending JournalReader {
        try JournalReader(path: path, tail: tail)
    }
}
