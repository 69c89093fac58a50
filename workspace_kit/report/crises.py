"""Stretches of stress, and a rebound, that every reader knows by name, dated by the closes of the S&P 500."""

import datetime as dt

CRISES = (
    ("Gulf War", dt.date(1990, 7, 16), dt.date(1990, 10, 11)),
    ("Bond massacre", dt.date(1994, 2, 2), dt.date(1994, 4, 4)),
    ("Asian crisis", dt.date(1997, 10, 7), dt.date(1997, 10, 27)),
    ("Russia and LTCM", dt.date(1998, 7, 17), dt.date(1998, 8, 31)),
    ("Dot-com bust", dt.date(2000, 3, 24), dt.date(2002, 10, 9)),
    ("11 September", dt.date(2001, 9, 10), dt.date(2001, 9, 21)),
    ("Run-up to Iraq", dt.date(2003, 1, 14), dt.date(2003, 3, 11)),
    ("Quant quake", dt.date(2007, 7, 19), dt.date(2007, 8, 15)),
    ("Financial crisis", dt.date(2007, 10, 9), dt.date(2009, 3, 9)),
    ("Bear Stearns", dt.date(2008, 2, 26), dt.date(2008, 3, 10)),
    ("Lehman", dt.date(2008, 9, 12), dt.date(2008, 11, 20)),
    ("Rebound of 2009", dt.date(2009, 3, 9), dt.date(2009, 6, 12)),
    ("Flash crash", dt.date(2010, 4, 23), dt.date(2010, 7, 2)),
    ("Fukushima", dt.date(2011, 3, 11), dt.date(2011, 3, 16)),
    ("Downgrade of the US", dt.date(2011, 7, 22), dt.date(2011, 10, 3)),
    ("Euro crisis of 2012", dt.date(2012, 4, 2), dt.date(2012, 6, 1)),
    ("April 2014", dt.date(2014, 4, 2), dt.date(2014, 4, 11)),
    ("October 2014", dt.date(2014, 9, 18), dt.date(2014, 10, 15)),
    ("Yuan devaluation", dt.date(2015, 8, 10), dt.date(2015, 8, 25)),
    ("Oil and China", dt.date(2015, 11, 3), dt.date(2016, 2, 11)),
    ("Volmageddon", dt.date(2018, 1, 26), dt.date(2018, 2, 8)),
    ("Late 2018", dt.date(2018, 9, 20), dt.date(2018, 12, 24)),
    ("Covid", dt.date(2020, 2, 19), dt.date(2020, 3, 23)),
    ("Inflation of 2022", dt.date(2022, 1, 3), dt.date(2022, 10, 12)),
)
