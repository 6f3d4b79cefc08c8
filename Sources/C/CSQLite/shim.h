#ifndef TOLLGATE_CSQLITE_H
#define TOLLGATE_CSQLITE_H
#include <sqlite3.h>

/* sqlite3_config takes a variable list of arguments, which Swift cannot pass. */
static inline int tollgate_sqlite3_without_statistics(void) {
    return sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}
#endif
