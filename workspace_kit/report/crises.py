"""Stretches of stress that every reader knows by name, dated by the closes of the S&P 500."""

import datetime as dt

CRISES = (
    ("Gulf War", dt.date(1990, 7, 16), dt.date(1990, 10, 11)),
    ("Bond massacre", dt.date(1994, 2, 2), dt.date(1994, 4, 4)),
    ("Asian crisis", dt.date(1997, 10, 7), dt.date(1997, 10, 27)),
    ("Russia and LTCM", dt.date(1998, 7, 17), dt.date(1998, 8, 31)),
    ("Dot-com bust", dt.date(2000, 3, 24), dt.date(2002, 10, 9)),
    ("11 September", dt.date(2001, 9, 10), dt.date(2001, 9, 21)),
    ("Quant quake", dt.date(2007, 7, 19), dt.date(2007, 8, 15)),
    ("Financial crisis", dt.date(2007, 10, 9), dt.date(2009, 3, 9)),
    ("Lehman", dt.date(2008, 9, 12), dt.date(2008, 11, 20)),
    ("Flash crash", dt.date(2010, 4, 23), dt.date(2010, 7, 2)),
    ("Downgrade of the US", dt.date(2011, 7, 22), dt.date(2011, 10, 3)),
    ("Yuan devaluation", dt.date(2015, 8, 10), dt.date(2015, 8, 25)),
    ("Oil and China", dt.date(2015, 11, 3), dt.date(2016, 2, 11)),
    ("Volmageddon", dt.date(2018, 1, 26), dt.date(2018, 2, 8)),
    ("Late 2018", dt.date(2018, 9, 20), dt.date(2018, 12, 24)),
    ("Covid", dt.date(2020, 2, 19), dt.date(2020, 3, 23)),
    ("Inflation of 2022", dt.date(2022, 1, 3), dt.date(2022, 10, 12)),
)
