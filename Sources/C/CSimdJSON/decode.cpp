#include "tollgate_simdjson.h"
