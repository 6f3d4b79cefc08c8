#ifndef TOLLGATE_CSQLITE_H
#define TOLLGATE_CSQLITE_H
#include <sqlite3.h>
#endif
